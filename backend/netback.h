/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's end of a guest's network interface: a netdev vif<domid>.<handle>.
 *
 *   guest -> host: event -> NAPI poll: slots are copied and checked, the data is fetched by
 *                  grant copies into pages of a pool, answered, and goes up the stack
 *   host -> guest: ndo_start_xmit copies straight into the guest's buffers
 *
 * No page of the guest but its rings is mapped, unless it asks for that on its control ring. No
 * packet is kept here for longer than a poll.
 *
 * Who may touch what: @tx of a queue and all that goes with it belongs to its NAPI, @rx to
 * the holder of the netdev queue's transmit lock. Both outlive every connection, only the
 * shared pages come and go, while NAPI is disabled and @up is false.
 */
#ifndef XPV_NETBACK_H
#define XPV_NETBACK_H

#include <linux/hash.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>
#include <xen/xenbus.h>

#include <xpv/grant.h>
#include <xpv/netctl.h>
#include <xpv/netif.h>
#include <xpv/state.h>
#include <xpv_moderation.h>

#define XPV_NETBACK_JOBS	NAPI_POLL_WEIGHT	/* packets of one batch, guest -> host */
#define XPV_NETBACK_OUT		32u	/* packets of one batch, host -> guest */
#define XPV_NETBACK_PAGES	512u	/* unused pages a queue keeps for data: those of two rings full */
#define XPV_NETBACK_HEADS	128u	/* and for the heads of packets */
#define XPV_NETBACK_MCASTS	64u	/* multicast addresses a guest may ask for */
#define XPV_NETBACK_HEADROOM	1024u	/* bytes it may ask for in front of a packet; XDP's is 256 */

struct xpv_netback;
struct dentry;
struct page_pool;

/* Bits of events: an event came and its EOI is owed, which holds back the next one. */
enum {
	XPV_NETBACK_TX_EVENT,
	XPV_NETBACK_RX_EVENT,
	XPV_NETBACK_TX_WORKED,		/* since the last EOI something was found to do */
};

/* A packet of the guest's, from its slots to the stack. */
struct xpv_netback_job {
	struct sk_buff *skb;		/* NULL: nothing to deliver */
	s16 status;			/* what the guest is answered */
	u32 op;				/* its first copy in the batch */
	u32 ops;
	struct xpv_net_txpkt pkt;
};

/* A packet copied, or being copied, into the guest's buffers. */
struct xpv_netback_out {
	struct sk_buff *skb;
	u32 first;			/* ring index of its first slot */
	u32 slots;			/* extras included */
	u32 extras;			/* so many after the first slot */
	bool failed;			/* a copy was refused */
};

/* Of one direction of a queue; written by its owner, read anywhere. */
struct xpv_netback_count {
	struct u64_stats_sync syncp;
	u64_stats_t packets, bytes;
	u64_stats_t dropped;
	u64_stats_t errors;		/* the guest's doing: no packet, or grants that are none */
	u64_stats_t copies;		/* grant copies, at least one for each slot ... */
	u64_stats_t statics;		/* ... but these, whose pages stay mapped */
};

/* One direction, or a sum of several. */
struct xpv_netback_sum {
	u64 packets, bytes, dropped, errors, copies, statics;
};

/* A page of the guest's that stays mapped. */
struct xpv_netback_static {
	struct hlist_node node;		/* of its bucket, by gref */
	struct xpv_mapping map;
	void *mem;			/* NULL until it is mapped */
	bool readonly;
};

/* A bucket for each that a queue may have by default. */
#define XPV_NETBACK_STATIC_BITS	10

/* The control ring of a guest that has one. All of it its work's alone, while that may run. */
struct xpv_netback_ctl {
	struct xpv_netback *vif;
	struct work_struct work;
	struct xpv_ring ring;
	struct xpv_mapping map;		/* of its page */
	int irq;
	unsigned long event;		/* bit 0: an EOI is owed; atomic */
	bool worked;			/* since the last EOI something was found to do */
	bool leaving;			/* nobody waits for answers any more; written by who ends it */
	char name[IFNAMSIZ + 8];
	u32 most_grefs;			/* of a queue, that stay mapped */
	void *page;			/* what was copied of one of the guest's, or will be to it */
	struct xpv_copy_batch copy;
	struct xpv_batch batch;
	/* Of one list: those that come or go, and their pages. */
	struct xpv_netback_static *lot[XPV_NET_GREFS_MAX];
	struct page *page_of[XPV_NET_GREFS_MAX];
};

struct xpv_netback_queue {
	struct xpv_netback *vif;
	u32 id;				/* also of the netdev's queue */
	/* The control ring's work changes these two; both directions look, with softirqs off. */
	struct hlist_head grefs[1 << XPV_NETBACK_STATIC_BITS];
	u32 statics;			/* entries of that */
	u32 seed;			/* of the hash: no guest chooses who shares a bucket */
	unsigned long events;		/* XPV_NETBACK_*_EVENT; atomic */
	int tx_irq;			/* 0: not bound; the same as rx_irq if the guest has one channel */
	int rx_irq;
	char tx_name[IFNAMSIZ + 8];
	char rx_name[IFNAMSIZ + 8];
	struct napi_struct napi;

	/* Guest to host: NAPI's. */
	struct xpv_ring tx;
	struct xpv_mapping tx_map;
	struct page_pool *heads;
	struct page_pool *pages;
	struct xpv_netback_count from_guest;
	u32 tx_statics;			/* slots of this batch whose page is mapped */
	struct xpv_moderation moderation;	/* of the guest's events */
	struct delayed_work credit_work;	/* polls on when there is credit again */
	struct xpv_copy_batch tx_copy;
	struct xpv_netback_job job[XPV_NETBACK_JOBS];

	/* Host to guest: under the netdev queue's transmit lock. */
	struct xpv_ring rx ____cacheline_aligned;
	struct xpv_mapping rx_map;
	struct xpv_netback_count to_guest;
	bool up;			/* the ring is there and may be used */
	bool plain;			/* up, and every packet is wanted */
	u16 headroom;			/* bytes that are left free in front of each packet */
	bool draining;			/* the guest posts nothing: packets are dropped, not kept */
	bool polling;			/* a poll is going on, that flushes out[] when it ends */
	bool dead;			/* it didn't for so long that we took the link down */
	u32 need;			/* slots that the packet at the head waits for; 0: none waits */
	unsigned long since;		/* jiffies when the wait began */
	struct delayed_work stall_work;	/* looks after a wait */
	u32 outs;			/* packets in out[] */
	struct xpv_netback_out out[XPV_NETBACK_OUT];
	u8 out_of_op[XPV_COPY_MAX];	/* whose copy it is, as an index of out[] */
	struct xpv_copy_batch rx_copy;
};

/* The vif: netdev_priv() of its netdev, drvdata of its xenbus device. */
struct xpv_netback {
	struct xenbus_device *xdev;
	struct net_device *dev;
	const char *script;		/* the hotplug script's name, for uevents */
	struct dentry *debug;
	struct xenbus_watch hotplug_watch;
	struct xenbus_watch rate_watch;
	struct xenbus_watch mcast_watch;
	struct work_struct broken_work;	/* closes a vif whose guest broke a ring */

	/* Locks in taking order. After the first comes RTNL, then a queue's transmit lock. */
	struct mutex lock;		/* state, front, plugged, and every connect and disconnect */
	spinlock_t link_lock;		/* dead, and the carrier of a connected vif; softirqs off */
	spinlock_t credit_lock;		/* credit_*; softirqs off */
	spinlock_t mcast_lock;		/* writing mcast[]; softirqs off */

	enum xpv_state state;		/* ours, as it stands in xenstore */
	enum xpv_state front;		/* the guest's, as it was last seen */
	bool plugged;			/* the hotplug script has reported success */
	struct xpv_batch batch;		/* of a ring's page, as it comes or goes; lock */

	bool connected;			/* queues have their rings; RTNL to write, lock or RTNL to read */
	u32 dead;			/* queues that are; while there is one, the link is down */

	/* What the guest can take; written under RTNL before it is connected. */
	netdev_features_t takes;
	bool rx_notify;			/* it tells when it posts buffers */
	u16 headroom;			/* it wants bytes free in front of a packet; RTNL */

	struct xpv_netback_ctl *ctl;	/* NULL without a control ring; lock */
	struct xpv_netback_hash __rcu *hash;	/* NULL: it has not asked for one; ctl's work to write */

	bool filtered;			/* it wants no multicasts but these; RTNL to write */
	u64 mcast[XPV_NETBACK_MCASTS];	/* 0: none */

	/* rate=: bytes of the whole vif, guest to host, per window. */
	u32 credit_bytes;		/* 0: unlimited */
	u32 credit_usec;
	s64 credit_left;		/* below 0 by the part of a packet that was overdrawn */
	u64 credit_start;		/* ns, of this window */

	struct xpv_coalesce coalesce;	/* when a queue's events are asked for, guest to host */

	u32 queues;			/* that the guest has, or had last; RTNL */
	u32 max_queues;			/* entries of queue[]: what is offered */
	struct xpv_netback_queue *queue[];	/* NULL until a guest wants it, then for good */
};

static inline struct netdev_queue *xpv_netback_txq(const struct xpv_netback_queue *q)
{
	return netdev_get_tx_queue(q->vif->dev, q->id);
}

/* netback_main.c APIs: */

/* How many queues a new vif offers: 1 to XPV_NET_MAX_QUEUES. */
u32 xpv_netback_max_queues(void);

/* netback_xenbus.c APIs: */

int xpv_netback_register(void);
void xpv_netback_unregister(void);

/* netback_netdev.c APIs: */

/* A vif with its netdev, not registered yet. NULL if there is no memory. */
struct xpv_netback *xpv_netback_create(struct xenbus_device *xdev, u32 handle);
/* Its netdev is not registered, or not any more. */
void xpv_netback_free(struct xpv_netback *vif);

/*
 * The first @queues are connected: let traffic in, and bar it again. Both take RTNL. Without
 * memory, starting returns an error and nothing has begun.
 */
int xpv_netback_start(struct xpv_netback *vif, u32 queues);
void xpv_netback_stop(struct xpv_netback *vif);

/* netback_mcast.c APIs: */

/* Does the guest want what is sent to @dest? Any context. */
bool xpv_netback_wanted(struct xpv_netback *vif, const u8 *dest);
/* Add or delete the address that @pkt names. Returns 0, -EINVAL or -ENOSPC. NAPI context. */
int xpv_netback_change_mcast(struct xpv_netback *vif, const struct xpv_net_txpkt *pkt);
/* Multicasts it has not asked for are dropped, or not any more. Under RTNL. */
void xpv_netback_set_filter(struct xpv_netback *vif, bool on);
/* The next guest side begins with an empty list. No queue is connected. */
void xpv_netback_forget_mcast(struct xpv_netback *vif);

/* netback_ring.c APIs: */

/*
 * Map the guest's page @ref and take its ring over. Returns 0, or an error (-EIO: the grant is none, or the ring can't be)
 * and nothing is taken. Process context, the vif's lock.
 */
int xpv_netback_attach(struct xpv_netback *vif, struct xpv_ring *ring, struct xpv_mapping *map,
		       grant_ref_t ref, u32 stride);
/* Undo that: nobody uses the ring any more. The vif's lock. */
void xpv_netback_detach(struct xpv_netback *vif, struct xpv_ring *ring, struct xpv_mapping *map);

/* netback_ctrl.c APIs: */

/*
 * Take over the guest's control ring; its queues are connected. Returns 0, or an error and
 * nothing is taken. Process context, the vif's lock.
 */
int xpv_netback_connect_ctl(struct xpv_netback *vif, grant_ref_t ref, evtchn_port_t port);
/* Give it back, and all that was asked for by it; nothing if there is none. The queues are down. */
void xpv_netback_disconnect_ctl(struct xpv_netback *vif);
/* The guest broke it. The vif's lock. */
bool xpv_netback_ctl_broken(const struct xpv_netback *vif);
/*
 * The first @len bytes, at most a page, of the guest's page @gref, copied to where only the next call
 * changes them; NULL if they can't be. @len 0 touches nothing of the guest's. The ring's work.
 */
void *xpv_netback_fetch(struct xpv_netback *vif, u32 gref, u32 len);
/* And back to that page, as they are by now. Returns 0 or -EIO. The ring's work. */
int xpv_netback_store(struct xpv_netback *vif, u32 gref, u32 len);

/* netback_hash.c APIs: */

/* Do what @req asks; returns XPV_NET_CTL_SUCCESS and so on. The control ring's work. */
u32 xpv_netback_set_hash(struct xpv_netback *vif, const struct xpv_net_ctlreq *req, u32 *data);
/* The guest goes. No control ring's work runs. */
void xpv_netback_forget_hash(struct xpv_netback *vif);
u8 __xpv_netback_hash(const struct xpv_netback *vif, const struct sk_buff *skb, u32 *hash);
/*
 * @skb's hash as the guest wants it: returns its type, and XPV_NET_HASH_TYPES if it wants none, or
 * the packet has none. Softirqs off.
 */
static inline u8 xpv_netback_hash(const struct xpv_netback *vif, const struct sk_buff *skb,
				  u32 *hash)
{
	return unlikely(rcu_access_pointer(vif->hash)) ? __xpv_netback_hash(vif, skb, hash) :
							 XPV_NET_HASH_TYPES;
}
u16 xpv_netback_select_queue(struct net_device *dev, struct sk_buff *skb,
			     struct net_device *upper);

/* netback_static.c APIs: */

/* As xpv_netback_set_hash(). */
u32 xpv_netback_change_grefs(struct xpv_netback *vif, const struct xpv_net_ctlreq *req, u32 *data);
/* Unmap all of @q, which is down. No control ring's work runs, but the ring is still there. */
void xpv_netback_drop_grefs(struct xpv_netback_queue *q);

static inline struct hlist_head *xpv_netback_bucket(struct xpv_netback_queue *q, u32 gref)
{
	return &q->grefs[hash_32(gref ^ q->seed, XPV_NETBACK_STATIC_BITS)];
}

/*
 * The page of @gref if it stays mapped, else NULL. Softirqs are off, and it is not used any more
 * when they are on again.
 */
static inline struct xpv_netback_static *xpv_netback_find(struct xpv_netback_queue *q, u32 gref)
{
	struct xpv_netback_static *s;

	if (!READ_ONCE(q->statics))
		return NULL;
	hlist_for_each_entry_rcu(s, xpv_netback_bucket(q, gref), node, rcu_read_lock_bh_held())
		if (s->map.gref == gref)
			/* Pairs with the release in add(): it is mapped. */
			return smp_load_acquire(&s->mem) ? s : NULL;
	return NULL;
}

/* netback_ethtool.c APIs: */

extern const struct ethtool_ops xpv_netback_ethtool_ops;

/* netback_debugfs.c APIs: */

void xpv_netback_debugfs_init(void);
void xpv_netback_debugfs_exit(void);
/* From one to the other, whoever reads may take the vif's lock. */
void xpv_netback_expose(struct xpv_netback *vif);
void xpv_netback_conceal(struct xpv_netback *vif);

/* netback_queue.c APIs: */

/* Have the first @queues there. Returns 0 or -ENOMEM. Process context, the vif's lock. */
int xpv_netback_make_queues(struct xpv_netback *vif, u32 queues);
/* Free all. None is connected, and the netdev is not registered any more. */
void xpv_netback_free_queues(struct xpv_netback *vif);

/* Where the guest put a queue. */
struct xpv_netback_where {
	grant_ref_t tx_ref, rx_ref;
	evtchn_port_t tx_port, rx_port;	/* the same: one channel for both */
};

/* Process context, the vif's lock. On failure nothing is left connected. */
int xpv_netback_connect_queue(struct xpv_netback_queue *q, const struct xpv_netback_where *w);
void xpv_netback_disconnect_queue(struct xpv_netback_queue *q);

/* One more of @counter, a member of @count. Whoever owns that direction. */
static inline void xpv_netback_count(struct xpv_netback_count *count, u64_stats_t *counter)
{
	u64_stats_update_begin(&count->syncp);
	u64_stats_inc(counter);
	u64_stats_update_end(&count->syncp);
}

/* Add what @count holds to @sum. Any context. */
void xpv_netback_add_count(struct xpv_netback_sum *sum, const struct xpv_netback_count *count);

/* Start and stop polling and transmission on a connected queue. Under RTNL. */
void xpv_netback_up(struct xpv_netback_queue *q);
void xpv_netback_down(struct xpv_netback_queue *q);

/* What goes to the guest, or where in its buffers, is another than before. Under RTNL. */
void xpv_netback_refresh(struct xpv_netback_queue *q);

/* The guest broke a ring: have the vif closed. Any context. */
void xpv_netback_give_up(struct xpv_netback_queue *q);

/* netback_tx.c APIs: */

/*
 * Carry up to @budget packets from the guest to the stack. Returns how many were taken,
 * refused ones included; fewer than @budget: no more can be taken now.
 * *@wait is set when there may be more, for which credit is lacking. NAPI context.
 */
int xpv_netback_carry(struct xpv_netback_queue *q, int budget, bool *wait);
void xpv_netback_init_tx(struct xpv_netback_queue *q);

/* New limits of the whole vif, @bytes 0 for none. Takes RTNL. */
void xpv_netback_set_rate(struct xpv_netback *vif, u32 bytes, u32 usec);

/* netback_rx.c APIs: */

netdev_tx_t xpv_netback_start_xmit(struct sk_buff *skb, struct net_device *dev);

/* Copy, show and let go of all packets in out[]. Under the transmit lock. */
void xpv_netback_flush(struct xpv_netback_queue *q);

/* The guest takes no packets from @q, or does again. Under the transmit lock. */
void xpv_netback_set_dead(struct xpv_netback_queue *q, bool dead);

/* The guest says it posted buffers. True if a packet had waited for them. NAPI context. */
bool xpv_netback_posted(struct xpv_netback_queue *q);
void xpv_netback_init_rx(struct xpv_netback_queue *q);

#endif
