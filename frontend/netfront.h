/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xpv-netfront: a guest's end of a network interface.
 *
 *   stack --xmit--> tx ring --> backend        event --> tx.napi: answers
 *   stack <--GRO--  rx ring <-- backend        event --> rx.napi: packets
 *
 * An XDP program sees a packet before GRO, and may have it sent by this or any other interface.
 *
 * The netdev and its queues live from probe to remove. A connection lives from
 * the backend's InitWait to its Closing, to a resume, or until we want another one: xpv_netfront_queue_connect()
 * makes rings, grants and channels, _start() opens the data path, _stop() closes it
 * for everybody (that happens as soon as the backend is seen to go) and _release()
 * gives the memory back (as late as possible: by then the backend has let go of it).
 *
 * Contexts: xmit and answers under the netdev's transmit queue lock; receiving
 * in rx.napi alone; start and stop under RTNL; the handshake under state_lock.
 */
#ifndef XPV_NETFRONT_H
#define XPV_NETFRONT_H

#include <linux/etherdevice.h>
#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>
#include <net/xdp.h>
#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/xenbus.h>
#include <xpv/netctl.h>
#include <xpv/netif.h>
#include <xpv/ring.h>
#include <xpv/state.h>
#include <xpv_moderation.h>

#define XPV_NETFRONT_SLOTS	XPV_NET_RING_SLOTS

/* Bytes up to which copying is cheaper than granting a page and ending that again. */
#define XPV_NETFRONT_COPY	256u

/* Free slots that any packet is sure to fit: its data, and the extras of GSO and hash. */
#define XPV_NETFRONT_ROOM	(XPV_NET_MAX_SLOTS + 2)

/* Frames that a program sends back are handed on so many at a time; pages they may have but one. */
#define XPV_NETFRONT_XDP_BULK	16u
#define XPV_NETFRONT_XDP_FRAGS	16u

/* Multicast addresses that any backend keeps. */
#define XPV_NETFRONT_MCASTS	64u

/* Who has to be done with an event before its late EOI. */
enum {
	XPV_NETFRONT_TX = 1,
	XPV_NETFRONT_RX = 2,
};

/* Why a connection is closed from our end. */
enum {
	XPV_NETFRONT_FAILED,	/* the backend was caught; set once per connection */
	XPV_NETFRONT_RENEW,	/* to be negotiated anew */
};

struct xpv_netfront;
struct xpv_netfront_queue;
struct bpf_prog;
struct dentry;
struct netdev_bpf;
struct page_pool;

/* An event channel: one of two for a queue, or its only one. */
struct xpv_netfront_channel {
	struct xpv_netfront_queue *queue;
	evtchn_port_t port;
	int irq;		/* 0 while there is none */
	int serves;		/* XPV_NETFRONT_TX, _RX or both */
	atomic_t waits;		/* of those, who is not done with the event; 0: no EOI is due */
	bool worked;		/* responses were taken since the last EOI */
	bool forgive;		/* an event may come for responses that a last look found */
	char name[IFNAMSIZ + 8];
};

/* What has become of a transmit id. */
enum xpv_netfront_txstate {
	XPV_NETFRONT_FREE,	/* on the stack of free ids */
	XPV_NETFRONT_COPIED,	/* sent from the id's own copy buffer */
	XPV_NETFRONT_GRANTED,	/* a page of ->skb, to be ungranted on the answer */
	XPV_NETFRONT_FRAME,	/* the page of ->frame, likewise */
	XPV_NETFRONT_MESSAGE,	/* no packet: a change of the multicast filter */
};

struct xpv_netfront_txslot {
	union {
		struct sk_buff *skb;		/* GRANTED: whose page it is; freed with its last slot */
		struct xdp_frame *frame;	/* FRAME: all of it */
	};
	u8 state;		/* enum xpv_netfront_txstate */
	bool first;		/* it stands for the packet in the statistics */
};

/* Of one direction of a queue; written by its owner, read anywhere. */
struct xpv_netfront_count {
	struct u64_stats_sync syncp;
	u64_stats_t packets, bytes, dropped, errors;
	u64_stats_t gso_fixups;		/* received without the checksum that segments need */
	u64_stats_t xdp_drops, xdp_tx, xdp_redirects;	/* what programs said of those received */
	u64_stats_t grants;		/* slots whose page was granted for them */
	u64_stats_t statics;		/* slots whose page the backend keeps mapped */
};

/* One direction, or a sum of several. */
struct xpv_netfront_sum {
	u64 packets, bytes, dropped, errors, gso_fixups;
	u64 xdp_drops, xdp_tx, xdp_redirects;
	u64 grants, statics;
};

/* A buffer for each id, granted for reading while connected. */
struct xpv_netfront_copies {
	u32 size;			/* bytes of one, at most XPV_PAGE_SIZE */
	u32 pages;			/* entries of the next two */
	struct page *page[XPV_NETFRONT_SLOTS];
	grant_ref_t ref[XPV_NETFRONT_SLOTS];
};

/* Guest to backend. All of it under the transmit queue's lock, but as noted. */
struct xpv_netfront_tx {
	struct xpv_ring ring;
	struct xpv_netfront_channel *channel;
	bool up;			/* between start and stop */
	bool mapped;			/* the backend keeps what *copies points to mapped */
	u16 free_ids;			/* entries of free_id[] */
	u16 extras;			/* slots of extras that are not answered */
	u32 frames;			/* that wait for their answer */
	u32 waiting;			/* packets whose skb or frame waits for its last answer; messages */
	struct xpv_netfront_copies *copies;	/* &own, or &kept */
	u16 free_id[XPV_NETFRONT_SLOTS];
	struct xpv_netfront_txslot slot[XPV_NETFRONT_SLOTS];
	grant_ref_t gref[XPV_NETFRONT_SLOTS];	/* the id's own, for pages of packets */
	struct xpv_netfront_copies own;		/* pages if the backend isn't trusted */
	struct xpv_netfront_copies kept;	/* for a backend that keeps them mapped */

	struct xpv_netfront_count count;

	struct napi_struct napi;
	struct xpv_moderation moderation;
	void *shared;			/* the ring's page */
	grant_ref_t ring_ref;
};

/* A page the backend may write to. */
struct xpv_netfront_rxbuf {
	struct page *page;
	grant_ref_t gref;
	u16 kept;		/* its number in the lot, from 1 on; 0: granted for one packet */
};

/* Pages that stay granted, and that the backend keeps mapped. */
struct xpv_netfront_lot {
	u32 n;			/* entries of buf[] */
	u32 first, nr_idle;	/* of idle[]: neither posted nor ready; the stack may have some */
	u16 idle[XPV_NET_GREFS_MAX];	/* a ring of numbers, from 0 on, by when they came */
	struct xpv_netfront_rxbuf buf[];
};

/* What programs' packets need; rx.napi's alone. */
struct xpv_netfront_xdp {
	struct xdp_rxq_info info;	/* registered while connected */
	bool redirected;		/* some, and nobody has been told that this was all */
	u32 frames;			/* entries of frame[]: to be sent back */
	struct xdp_frame *frame[XPV_NETFRONT_XDP_BULK];
};

/* Backend to guest. All of it rx.napi's alone, but as noted. */
struct xpv_netfront_rx {
	struct xpv_ring ring;
	struct xpv_netfront_channel *channel;
	struct page_pool *pool;
	struct xpv_netfront_lot *lot;	/* NULL: there is none (yet) */
	u32 looks;			/* at its idle pages that this poll may still have */
	u32 ready;			/* entries of ready_buf[] */
	u32 bare;			/* entries of bare_ref[] */
	/* posted, by ring index; those from ring.cons to ring.prod */
	struct xpv_netfront_rxbuf posted[XPV_NETFRONT_SLOTS];
	/* granted still or again, to be posted next */
	struct xpv_netfront_rxbuf ready_buf[XPV_NETFRONT_SLOTS];
	/* references without a page */
	grant_ref_t bare_ref[XPV_NETFRONT_SLOTS];
	struct xpv_netfront_xdp xdp;

	struct xpv_netfront_count count;

	struct napi_struct napi;
	struct xpv_moderation moderation;
	struct delayed_work refill;	/* polls again when there was no memory for buffers */
	struct xpv_netfront_lot *late;	/* instead of lot: the backend has not answered; ctl.lock */
	void *shared;			/* the ring's page */
	grant_ref_t ring_ref;
};

struct xpv_netfront_queue {
	struct xpv_netfront *front;
	unsigned int id;
	bool started;			/* between start and stop; RTNL */
	struct xpv_netfront_channel channel[2];
	struct xpv_netfront_tx tx;
	struct xpv_netfront_rx rx;
};

/* The control ring. Its lock comes after RTNL, before a queue's transmit lock. */
struct xpv_netfront_ctl {
	struct mutex lock;		/* questions till their answers, and the page; the next four */
	struct xpv_ring ring;
	long patience;			/* jiffies that who holds the lock may still wait for them */
	bool up;			/* there is one, and whose backend answers */
	u16 id;				/* of the next question */
	bool leaving;			/* nobody is to wait any more */
	unsigned long event;		/* bit 0: an EOI is owed; atomic */
	wait_queue_head_t answered;
	struct work_struct work;	/* asks for what a connection begins with */
	int irq;			/* 0: there is none; state_lock, as all that follows */
	evtchn_port_t port;
	char name[IFNAMSIZ + 8];
	struct page *ring_page, *page;	/* the second carries what is longer than a message */
	grant_ref_t ring_ref, page_ref;
};

struct xpv_netfront {
	/* The handshake: state, connect and release. Taken before RTNL. */
	struct mutex state_lock;
	enum xpv_state state;		/* state_lock */
	enum xpv_state back;		/* state_lock; the backend's, as it was last seen */
	struct xenbus_device *xbdev;
	struct net_device *netdev;
	struct dentry *debug;
	struct xpv_netfront_queue *queue;
	unsigned int max_queues;	/* entries of queue[], from probe to remove */
	unsigned int queues;		/* of this connection, or the last; state_lock and RTNL */
	unsigned int offered;		/* what the backend has for us, at most max_queues; RTNL */
	unsigned int wanted;		/* what our user wants of that; RTNL */
	struct bpf_prog __rcu *xdp_prog;	/* sees all that is received; written under RTNL */
	netdev_features_t takes;	/* what the backend can do of hw_features; state_lock and RTNL */
	struct xpv_coalesce rx_coalesce, tx_coalesce;	/* when a queue's events are asked for */
	bool untrusted;			/* state_lock; fixed while connected */
	bool served;			/* state_lock; this connection's backend was Connected */
	bool again;			/* state_lock; Closed, to be connected anew */
	unsigned long why;		/* XPV_NETFRONT_FAILED, _RENEW; atomic */
	struct work_struct close_work;	/* closes the device, and why says whether for good */
	u32 held;			/* pages that the backend keeps mapped; held.c's, as the next */
	bool waiting;			/* for that to be none */
	unsigned long begun;		/* jiffies at the last start of a connection; state_lock */
	struct delayed_work return_work;	/* it is none, or time has passed: may we return? */

	/* Multicast control; state_lock, but as noted. */
	bool mcast_control;		/* the backend has it, */
	bool mcast_dynamic;		/* and can be told at any time to switch it */
	bool mcast_refused;		/* one had no room: none is to filter; set in any context */
	bool filtered;			/* it was told to bring only what we want */
	unsigned int mcasts;		/* entries of mcast[]: what it was told that is */
	u64 mcast[XPV_NETFRONT_MCASTS];
	struct delayed_work mcast_work;	/* tells it what has changed */

	struct xpv_netfront_ctl ctl;

	/* RTNL */
	bool can_hash;			/* the backend */
	u8 hash_key[XPV_NET_KEY_BYTES];
	u32 hash_table[XPV_NET_TABLE_SIZE];
	struct xpv_netfront_hash __rcu *hash;	/* NULL: off */
	struct xpv_netfront_hash *hash_told;	/* to be that next; of who is about to set it */
};

/* main.c APIs: */

/* How many queues a new interface has room for: 1 to XPV_NET_MAX_QUEUES. */
unsigned int xpv_netfront_max_queues(void);

/* Is the backend of @xbdev trusted? The module's parameter and the toolstack decide. */
bool xpv_netfront_trusts(struct xenbus_device *xbdev);

/* netdev.c APIs: */

/* A netdev with its queues, not registered; NULL without memory. Process context. */
struct net_device *xpv_netfront_create(struct xenbus_device *xbdev);
/* Undo it. The netdev is not registered (any more), all queues are released. */
void xpv_netfront_destroy(struct net_device *dev);

/* mcast.c APIs: */

void xpv_netfront_init_mcast(struct xpv_netfront *np);
/* A connection begins: shall the backend filter from the start? Process context, state_lock. */
bool xpv_netfront_wants_filter(struct xpv_netfront *np);
/* Have the backend know what is wanted by now; the queues are started. The same. */
void xpv_netfront_tell_mcast(struct xpv_netfront *np);
/* What the interface wants may have changed. Any context. */
void xpv_netfront_set_rx_mode(struct net_device *dev);

/* ctrl.c APIs: */

void xpv_netfront_init_ctl(struct xpv_netfront *np);
/* A control ring for the connection. Returns 0, or an error and nothing is taken. state_lock. */
int xpv_netfront_connect_ctl(struct xpv_netfront *np);
/* The backend is Connected: ask for all there is to ask for, soon. state_lock. */
void xpv_netfront_start_ctl(struct xpv_netfront *np);
/* No question is under way or will be. state_lock, not RTNL. Idempotent, as the next. */
void xpv_netfront_stop_ctl(struct xpv_netfront *np);
/* Give back what connect took. Stopped before. */
void xpv_netfront_release_ctl(struct xpv_netfront *np);
/* One holder's questions are all answered within seconds, or not at all. Sleeps. */
void xpv_netfront_lock_ctl(struct xpv_netfront *np);
void xpv_netfront_unlock_ctl(struct xpv_netfront *np);
/*
 * Ask the backend, XPV_NET_CTL_* with these words; what it answers goes to *@data unless that is
 * NULL. Returns 0, what the backend says (xpv_net_take_ctl_answer()), -ENOTCONN or -ETIMEDOUT.
 * Sleeps for what is left of the holder's seconds; the ring's lock.
 */
int xpv_netfront_ask_ctl(struct xpv_netfront *np, u16 type, u32 a, u32 b, u32 c, u32 *data);
/* The page, granted as ctl.page_ref, for what is longer; NULL without a ring. Its lock. */
void *xpv_netfront_ctl_page(struct xpv_netfront *np);

/* hash.c APIs: */

void xpv_netfront_init_hash(struct xpv_netfront *np);
/* The netdev is not registered any more. */
void xpv_netfront_free_hash(struct xpv_netfront *np);
/*
 * Tell the backend to hash, with the key and table as they are, for it to be switched on next. 0 or an error. RTNL,
 * or before it can be had. Takes the control ring's lock.
 */
int xpv_netfront_tell_hash(struct xpv_netfront *np);
/* Switch it on, also with another key or table than before, or off. 0 or an error. RTNL. */
int xpv_netfront_set_hash(struct xpv_netfront *np, bool on);
/* The number of queues may be another one. RTNL. */
void xpv_netfront_fit_table(struct xpv_netfront *np);
u8 __xpv_netfront_hash(const struct xpv_netfront *np, const struct sk_buff *skb, u32 *hash);
/* @skb's hash: returns its type, XPV_NET_HASH_TYPES if it has or needs none. Softirqs off. */
static inline u8 xpv_netfront_hash(const struct xpv_netfront *np, const struct sk_buff *skb,
				   u32 *hash)
{
	return unlikely(rcu_access_pointer(np->hash)) ? __xpv_netfront_hash(np, skb, hash) :
							XPV_NET_HASH_TYPES;
}

/* static.c APIs: */

/* Have the backend keep pages of @q mapped, as many as both will. The control ring's lock. */
void xpv_netfront_begin_static(struct xpv_netfront_queue *q);
/* Give the pages back. The queue is stopped, and so is the control ring. */
void xpv_netfront_release_static(struct xpv_netfront_queue *q);
/* The page of @buf, one of the lot's, goes up the stack. rx.napi's context, as the next. */
void xpv_netfront_lend(struct xpv_netfront_lot *lot, const struct xpv_netfront_rxbuf *buf);
/* A poll begins: it may look at each idle page once. */
static inline void xpv_netfront_begin_looks(struct xpv_netfront_rx *rx)
{
	const struct xpv_netfront_lot *lot = READ_ONCE(rx->lot);

	rx->looks = lot ? lot->nr_idle : 0;
}

/* One that nobody has, after at most *@looks, which are counted down; false if none was found. */
bool xpv_netfront_take_kept(struct xpv_netfront_lot *lot, u32 *looks,
			    struct xpv_netfront_rxbuf *buf);

/* held.c APIs: process context; any lock of the interface may be held. */

/* The connection is over: end the grant @gref of @page, and let go of the page, now or when it is. */
void xpv_netfront_end_grant(struct xpv_netfront *np, grant_ref_t gref, struct page *page);
/* The same of a page of @skb, which is the caller's still, but stays allocated as long. */
void xpv_netfront_end_skb_grant(struct xpv_netfront *np, grant_ref_t gref, struct sk_buff *skb);
/* Is there any whose grant could not be ended? Then return_work is queued when there is none. */
bool xpv_netfront_is_held(struct xpv_netfront *np);
/* The interface goes, what is held stays. Waits for return_work, which is not queued again. */
void xpv_netfront_disown(struct xpv_netfront *np);
/* The module goes. All interfaces have gone. */
void xpv_netfront_held_exit(void);

/* ethtool.c APIs: */

extern const struct ethtool_ops xpv_netfront_ethtool_ops;

/* debugfs.c APIs: */

void xpv_netfront_debugfs_init(void);
void xpv_netfront_debugfs_exit(void);
/* From one to the other, whoever reads may take state_lock. */
void xpv_netfront_expose(struct xpv_netfront *np);
void xpv_netfront_conceal(struct xpv_netfront *np);

/* xenbus.c APIs: */

extern struct xenbus_driver xpv_netfront_driver;
/* The backend did what none does: stop, say @why once, close the device. Any context. */
void xpv_netfront_fail(struct xpv_netfront *np, const char *why);
/* What was negotiated is to be another: close and connect again, soon. Any context. */
void xpv_netfront_renew(struct xpv_netfront *np);

/* handshake.c APIs: */

/* What the backend says of @key; 0 if that is no number. Process context. */
static inline unsigned int xpv_netfront_says(struct xpv_netfront *np, const char *key)
{
	return xenbus_read_unsigned(np->xbdev->otherend, key, 0);
}

/* Publish rings, channels and wishes of a connection, as one. Returns 0 or a negative errno. state_lock. */
int xpv_netfront_publish(struct xpv_netfront *np);

/* queue.c APIs: */

void xpv_netfront_queue_init(struct xpv_netfront *np, struct xpv_netfront_queue *q,
			     unsigned int id);
void xpv_netfront_queue_destroy(struct xpv_netfront_queue *q);
/* Rings, grants and channels, @split: two of them. Returns 0, or an error and nothing is taken. */
int xpv_netfront_queue_connect(struct xpv_netfront_queue *q, bool split);
/* Whose lock is that of @q's transmit direction. */
static inline struct netdev_queue *xpv_netfront_txq(const struct xpv_netfront_queue *q)
{
	return netdev_get_tx_queue(q->front->netdev, q->id);
}

/* One more of @counter, a member of @count. Whoever owns that direction. */
static inline void xpv_netfront_count(struct xpv_netfront_count *count, u64_stats_t *counter)
{
	u64_stats_update_begin(&count->syncp);
	u64_stats_inc(counter);
	u64_stats_update_end(&count->syncp);
}

/* Add what @count holds to @sum. Any context. */
void xpv_netfront_add_count(struct xpv_netfront_sum *sum, const struct xpv_netfront_count *count);
/* Let packets and events in. RTNL. */
void xpv_netfront_queue_start(struct xpv_netfront_queue *q);
/* Nothing of the queue begins when it returns, and a poll at most ends; done before or never started is fine. RTNL. */
void xpv_netfront_queue_stop(struct xpv_netfront_queue *q);
/* Close its event channels. Stopped, and by now its polls have ended; idempotent. Process context. */
void xpv_netfront_queue_deafen(struct xpv_netfront_queue *q);
/* Give back what connect took. Stopped before; idempotent. */
void xpv_netfront_queue_release(struct xpv_netfront_queue *q);
/* @who is done with the event of @ch; the last one gives the EOI. Not on a broken ring. */
void xpv_netfront_eoi(struct xpv_netfront_channel *ch, int who);
/* A new zeroed page that the backend may read, or also write. Returns 0, or an error and none. */
int xpv_netfront_show(struct xpv_netfront *np, struct page **page, grant_ref_t *ref,
		      bool readonly);
/* Buffers of @size bytes for every id. Returns 0, or an error and what there is by then in @c. */
int xpv_netfront_make_copies(struct xpv_netfront_queue *q, struct xpv_netfront_copies *c, u32 size);
void xpv_netfront_free_copies(struct xpv_netfront_queue *q, struct xpv_netfront_copies *c);
/* @n grant references to @ref. Returns 0, or an error and none. */
int xpv_netfront_claim(grant_ref_t *ref, u32 n);

/* pack.c APIs: under the transmit lock, with XPV_NETFRONT_ROOM free slots, to be published. */

/* Slots granted for @skb that are not answered yet. It waits for them, and nobody else uses its cb. */
static inline u16 *xpv_netfront_left(struct sk_buff *skb)
{
	return (u16 *)skb->cb;
}

/*
 * Returns 1: @skb is the ring's until it is answered, 0: all of it was copied, -EINVAL: it can't be sent;
 * then it is the caller's still.
 */
int xpv_netfront_pack(struct xpv_netfront_queue *q, struct sk_buff *skb);
/* A frame in a single page, or short enough to be copied; it is the ring's then, or freed. */
void xpv_netfront_pack_frame(struct xpv_netfront_queue *q, struct xdp_frame *frame);
/* No packet: XPV_NET_EXTRA_MCAST_* of @addr. */
void xpv_netfront_pack_mcast(struct xpv_netfront_queue *q, u8 type, u64 addr);

/* tx.c APIs: */

netdev_tx_t xpv_netfront_xmit(struct sk_buff *skb, struct net_device *dev);
/*
 * Send up to @n frames, and with @flush tell the backend of all. Returns how many were taken: the
 * others are the caller's still; or -ENETDOWN, and all are. Softirq context.
 */
int xpv_netfront_send_frames(struct xpv_netfront_queue *q, struct xdp_frame **frames, int n,
			     bool flush);
/* Say XPV_NET_EXTRA_MCAST_* of @addr. Returns 0, or -EAGAIN while there is no room. Process context. */
int xpv_netfront_send_mcast(struct xpv_netfront_queue *q, u8 type, u64 addr);
int xpv_netfront_poll_tx(struct napi_struct *napi, int budget);
int xpv_netfront_tx_connect(struct xpv_netfront_queue *q);
void xpv_netfront_tx_release(struct xpv_netfront_queue *q);

/* xdp.c APIs: */

/* @pkt is shown to @prog, which decides. Ends with it, slots and all. The poll's. */
void xpv_netfront_xdp_run(struct xpv_netfront_queue *q, struct bpf_prog *prog,
			  const struct xpv_net_rxpkt *pkt);
/* After a poll's last packet: what programs sent or redirected is shown to whom it went. */
void xpv_netfront_xdp_end(struct xpv_netfront_queue *q);
int xpv_netfront_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames, u32 flags);
int xpv_netfront_bpf(struct net_device *dev, struct netdev_bpf *bpf);
/* Is there a program to which packets of that MTU can't be shown? RTNL. */
bool xpv_netfront_xdp_forbids(const struct xpv_netfront *np, int mtu);
/* The room to ask the backend for in front of a packet, 0 for none. Any context. */
u32 xpv_netfront_xdp_headroom(const struct xpv_netfront *np);
/* What connect took before an error is left to the release, which comes before the pool's. */
int xpv_netfront_xdp_connect(struct xpv_netfront_queue *q);
void xpv_netfront_xdp_release(struct xpv_netfront_queue *q);

/* rx.c APIs: */

/*
 * A page of the pool, in whatever state it was given back, or cleared if it is new: any of them may be
 * granted to the backend one day, which may look at what is in it. NULL: no memory. In rx.napi's context.
 */
struct page *xpv_netfront_new_page(struct xpv_netfront_rx *rx);
/* Byte 0 of slot @i of @pkt. The backend may write to it. */
void *xpv_netfront_rx_data(struct xpv_netfront_rx *rx, const struct xpv_net_rxpkt *pkt, u32 i);
/* Does the backend keep the page of slot @i mapped, whatever becomes of the packet? */
bool xpv_netfront_rx_mapped(struct xpv_netfront_rx *rx, const struct xpv_net_rxpkt *pkt, u32 i);
/* The pages of all slots of @pkt with data stay granted, and are posted again. */
void xpv_netfront_rx_keep(struct xpv_netfront_rx *rx, const struct xpv_net_rxpkt *pkt);
/*
 * End the grant of the page at ring index @index, which is none that stays mapped: it is the
 * caller's, who gives it to the pool in the end. NULL, and the page is kept, when the backend
 * doesn't let go of it, for which it is closed.
 */
struct page *xpv_netfront_rx_take(struct xpv_netfront_queue *q, u32 index);

int xpv_netfront_poll_rx(struct napi_struct *napi, int budget);
void xpv_netfront_refill_work(struct work_struct *work);
int xpv_netfront_rx_connect(struct xpv_netfront_queue *q);
void xpv_netfront_rx_release(struct xpv_netfront_queue *q);

#endif
