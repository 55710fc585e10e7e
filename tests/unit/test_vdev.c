// SPDX-License-Identifier: GPL-2.0-only
/* Disks by number and by name. The numbers are libxl's, from its xen-vbd-interface(7). */
#include "test.h"
#include <vdev.h>
#include <stdio.h>

static const struct {
	u32 devid;
	const char *name;
} vdevs[] = {
	{ 51712, "xvda" }, { 51713, "xvda1" }, { 51727, "xvda15" }, { 51728, "xvdb" }, { 51952, "xvdp" },
	{ (1u << 28) + 16 * 256, "xvdq" }, { (1u << 28) + 25 * 256, "xvdz" }, { (1u << 28) + 26 * 256, "xvdaa" },
	{ (1u << 28) + 701 * 256 + 255, "xvdzz255" }, { (1u << 28) + 702 * 256, "xvdaaa" },
	{ 768, "hda" }, { 832, "hdb" }, { 833, "hdb1" }, { 5632, "hdc" }, { 5696, "hdd" }, { 2048, "sda" }, { 2303, "sdp15" },
};

static void names_and_numbers_agree(void **state)
{
	char name[VDEV_NAME], disk[VDEV_NAME + 8];
	u32 i, domid, devid;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(vdevs); i++) {
		assert_string_equal(vdev_name(vdevs[i].devid, name), vdevs[i].name);
		snprintf(disk, sizeof(disk), "7/%s", vdevs[i].name);
		if (vdev_parse(disk, &domid, &devid) || domid != 7 || devid != vdevs[i].devid)
			ROW_FAILED("%s", vdevs[i].name);
	}
}

static void what_has_no_name_is_a_number(void **state)
{
	char name[VDEV_NAME];
	u32 domid, devid;

	(void)state;
	assert_string_equal(vdev_name(1, name), "1");
	assert_string_equal(vdev_name(UINT32_MAX, name), "4294967295");
	assert_string_equal(vdev_name(3 << 8 | 128, name), "896");
	assert_int_equal(vdev_parse("0/4294967295", &domid, &devid), 0);
	assert_int_equal(domid, 0);
	assert_int_equal(devid, UINT32_MAX);
}

/* xvdb by the larger number, which a configuration may also say, is shown as what it is in the guest. */
static void the_longest_name_fits(void **state)
{
	char name[VDEV_NAME];

	(void)state;
	assert_string_equal(vdev_name((1u << 28) + 256, name), "xvdb");
	assert_true(strlen(vdev_name((1u << 28) + ((1u << 20) - 1) * 256 + 255, name)) < VDEV_NAME - 1);
}

static void nonsense_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "1", "1/", "/51712", "x/1", "1/4294967296", "4294967296/1", "1/51712x", "1/xvd", "1/xvda256",
		"1/xvdA", "1/xvda1b", "1/hde", "1/hda64", "1/sdq", "1/sda16", "1/vda", "1/x", "1/s", "-1/51712",
		"1/ 51712", "1/xvdaaaaaaaaaaaaaaaaaaaa", "1/xvda99999999999",
	};
	u32 i, domid, devid;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (vdev_parse(bad[i], &domid, &devid) != -EINVAL)
			ROW_FAILED("%s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_numbers_agree),
		cmocka_unit_test(what_has_no_name_is_a_number),
		cmocka_unit_test(the_longest_name_fits),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests_name("vdev", tests, NULL, NULL);
}
