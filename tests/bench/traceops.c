// SPDX-License-Identifier: GPL-2.0-only
/*
 * traceops FILE: counts what a guest asked of Xen in a trace that xentrace wrote
 * (record format: xen/include/public/trace.h). Prints a line per physical CPU:
 *
 *   CPU hypercalls event-channel-ops grant-table-ops grants
 *
 * where grants are the elements of the grant-table-ops. The lab pins dom0 to CPU 0 and the
 * guest to CPU 1, so a CPU is a domain. An HVM or PVH guest's hypercall is
 * recorded by its number alone, without a count of grants.
 */
#include <stdint.h>
#include <stdio.h>
#include <xen/trace.h>

#define GRANT_TABLE_OP		20
#define EVENT_CHANNEL_OP	32
#define CPUS			8
#define PV_NUMBER(word)		((word) & 0xfffff)

struct counts {
	unsigned long hypercalls, events, grant_calls, grants;
};

static void count(struct counts *c, uint32_t number, uint32_t grants)
{
	c->hypercalls++;
	if (number == EVENT_CHANNEL_OP)
		c->events++;
	if (number == GRANT_TABLE_OP) {
		c->grant_calls++;
		c->grants += grants;
	}
}

/* One record; 0 at the end of the file, -1 if it ends in the middle of one. */
static int record(FILE *f, uint32_t *event, uint32_t data[7])
{
	uint32_t head, cycles[2];
	unsigned int n;

	if (fread(&head, sizeof(head), 1, f) != 1)
		return 0;
	*event = head & 0xfffffff;
	n = head >> 28 & 7;
	if (head >> 31 && fread(cycles, sizeof(cycles), 1, f) != 1)
		return -1;
	if (fread(data, sizeof(*data), n, f) != n)
		return -1;
	return 1;
}

int main(int argc, char **argv)
{
	struct counts counts[CPUS] = { 0 };
	uint32_t event, data[7] = { 0 };
	unsigned int cpu = 0;
	FILE *f;
	int more;

	if (argc != 2) {
		fprintf(stderr, "usage: traceops FILE\n");
		return 2;
	}
	f = fopen(argv[1], "rb");
	if (!f) {
		perror(argv[1]);
		return 1;
	}
	while ((more = record(f, &event, data)) > 0) {
		if (event == TRC_TRACE_CPU_CHANGE)
			cpu = data[0] < CPUS ? data[0] : 0;
		else if (event == TRC_PV_HYPERCALL_V2)
			/* For a grant-table-op, Xen adds its command and its number of elements. */
			count(&counts[cpu], PV_NUMBER(data[0]), data[2]);
		else if (event == TRC_HVM_VMMCALL)
			count(&counts[cpu], data[0], 0);
	}
	fclose(f);
	if (more < 0) {
		fprintf(stderr, "%s: ends in the middle of a record\n", argv[1]);
		return 1;
	}
	for (cpu = 0; cpu < CPUS; cpu++)
		if (counts[cpu].hypercalls)
			printf("%u %lu %lu %lu %lu\n", cpu, counts[cpu].hypercalls, counts[cpu].events,
			       counts[cpu].grant_calls, counts[cpu].grants);
	return 0;
}
