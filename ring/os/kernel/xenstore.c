// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Transactions, which end well or are tried again. */
#include <xpv_xenstore.h>

#include <linux/export.h>

int xpv_xenstore_commit(int (*write)(struct xenbus_transaction xbt, void *arg), void *arg)
{
	struct xenbus_transaction xbt;
	int err;

	do {
		err = xenbus_transaction_start(&xbt);
		if (err)
			return err;
		err = write(xbt, arg);
		if (err) {
			xenbus_transaction_end(xbt, 1);
			return err;
		}
		err = xenbus_transaction_end(xbt, 0);
	} while (err == -EAGAIN);
	return err;
}
EXPORT_SYMBOL_GPL(xpv_xenstore_commit);
