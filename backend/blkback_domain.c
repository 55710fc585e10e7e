// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the devices of one domain share: how many of its grants stay mapped, and how many more are, each
 * for a request. A domain has so many grants, and this one so many handles for them, however many
 * disks and queues there are.
 */
#include "blkback.h"

#include <linux/mutex.h>
#include <linux/slab.h>

/*
 * For requests, the queues' shares aside: what a disk of xpv-blkfront's uses when it is busiest. Xen's
 * own limit, 262144 for all that this domain maps, is reached by no guest alone.
 */
#define MOST_BORROWED	16896

static DEFINE_MUTEX(domains_lock);	/* guards domains, and who refers to them */
static LIST_HEAD(domains);

static struct xpv_blkback_domain *find(domid_t id)
{
	struct xpv_blkback_domain *dom;

	lockdep_assert_held(&domains_lock);
	list_for_each_entry(dom, &domains, link)
		if (dom->id == id)
			return dom;
	return NULL;
}

static struct xpv_blkback_domain *make(domid_t id)
{
	struct xpv_blkback_domain *dom = kzalloc(sizeof(*dom), GFP_KERNEL);

	if (!dom)
		return NULL;
	dom->id = id;
	list_add(&dom->link, &domains);
	return dom;
}

struct xpv_blkback_domain *xpv_blkback_domain_get(domid_t id)
{
	struct xpv_blkback_domain *dom;

	mutex_lock(&domains_lock);
	dom = find(id) ?: make(id);
	if (dom)
		dom->devices++;
	mutex_unlock(&domains_lock);
	return dom;
}

void xpv_blkback_domain_put(struct xpv_blkback_domain *dom)
{
	mutex_lock(&domains_lock);
	if (!--dom->devices) {
		list_del(&dom->link);
		kfree(dom);
	}
	mutex_unlock(&domains_lock);
}

bool xpv_blkback_domain_charge(struct xpv_blkback_domain *dom)
{
	int most = min_t(unsigned int, READ_ONCE(xpv_blkback_domain_grants), INT_MAX);
	int n = atomic_read(&dom->grants);

	do {
		if (n >= most) {
			/* It only has to become another number. */
			WRITE_ONCE(dom->refusals, READ_ONCE(dom->refusals) + 1);
			return false;
		}
	} while (!atomic_try_cmpxchg(&dom->grants, &n, n + 1));
	return true;
}

void xpv_blkback_domain_uncharge(struct xpv_blkback_domain *dom, u32 n)
{
	atomic_sub(n, &dom->grants);
}

bool xpv_blkback_domain_borrow(struct xpv_blkback_domain *dom, u32 n, bool always)
{
	if (atomic_add_return(n, &dom->borrowed) <= MOST_BORROWED || always)
		return true;
	atomic_sub(n, &dom->borrowed);
	return false;
}

void xpv_blkback_domain_give_back(struct xpv_blkback_domain *dom, u32 n)
{
	atomic_sub(n, &dom->borrowed);
}

u32 xpv_blkback_domain_excess(const struct xpv_blkback_domain *dom)
{
	u32 n = atomic_read(&dom->grants), most = READ_ONCE(xpv_blkback_domain_grants);

	return n > most ? n - most : 0;
}
