/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Moving what packets carry. */
#ifndef XPV_DATA_H
#define XPV_DATA_H

#include <linux/kasan-checks.h>
#include <linux/string.h>

/* From here on x86 moves words faster by itself than a loop does. */
#define XPV_DATA_LONG	256u

/*
 * memcpy() for what may be long. Where x86 does not promise short string moves to be fast, the kernel's
 * is a loop for any length; users' data, whole pages and the hypervisor's copies are moved by
 * words even there. Nothing else looks at the data meanwhile.
 */
static inline void xpv_data_copy(void *to, const void *from, size_t len)
{
#ifdef CONFIG_X86_64
	if (len >= XPV_DATA_LONG) {
		void *end = to + len - sizeof(u64);
		size_t words = len / sizeof(u64);
		u64 last;

		kasan_check_read(from, len);
		kasan_check_write(to, len);
		/* What is no whole word at the end goes with some before it. */
		memcpy(&last, from + len - sizeof(last), sizeof(last));
		asm volatile("rep movsq" : "+D" (to), "+S" (from), "+c" (words) : : "memory");
		memcpy(end, &last, sizeof(last));
		return;
	}
#endif
	memcpy(to, from, len);
}

#endif
