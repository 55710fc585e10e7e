/* SPDX-License-Identifier: GPL-2.0-only */
/* cmocka, and a test that is run once from each start index. */
#ifndef XPV_TEST_H
#define XPV_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const uint32_t starts[] __attribute__((unused)) = { 0, 0xfffffff0u };

/* *state of such a test points to the index at which its rings start. */
#define FROM_BOTH_STARTS(f)							\
	{ #f " from 0", f, NULL, NULL, (void *)&starts[0] },			\
	{ #f " from 0xfffffff0", f, NULL, NULL, (void *)&starts[1] }

/* For tables: says which row a failed assertion was about. */
#define ROW_FAILED(fmt, ...)	fail_msg("%s:%d: " fmt, __func__, __LINE__, __VA_ARGS__)

#endif
