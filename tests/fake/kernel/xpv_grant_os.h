/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's, before the one for programs. */
#include "../../../ring/os/kernel/xpv_grant_os.h"
