// SPDX-License-Identifier: GPL-2.0-only
/* To standard error, as systemd reads it, or as people do. */
#include "daemon.h"

#include <stdarg.h>
#include <unistd.h>

void logf_(int priority, const char *format, ...)
{
	char line[512];
	va_list args;
	int n = 0;

	if (getenv("JOURNAL_STREAM"))
		n = snprintf(line, sizeof(line), "<%d>", priority);
	va_start(args, format);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, args);
	va_end(args);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	/* One write, so that threads' lines stay whole; nobody can be told when it fails. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}
