// SPDX-License-Identifier: GPL-2.0-only
/* world.h and the copies on a piece of shared memory. */
#undef NDEBUG
#include "loop.h"

#include <xpv/grant.h>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define OWN_PORTS	100u	/* the backend's port for the guest's first */

struct port {
	u32 bound;		/* to channels of this number, from 1 on; 0: unbound */
	u32 pending, masked;
};

struct channels {
	u32 number;
};

u8 *loop_memory;
u32 loop_mapped;
bool loop_refuses;
static int memory_fd;
static struct port *port;
static int front_fd[LOOP_PORTS], back_fd[MAX_WORKERS + 1];

void loop_make(void)
{
	u32 i;

	memory_fd = memfd_create("loop", MFD_CLOEXEC);
	assert(memory_fd >= 0 && !ftruncate(memory_fd, (off_t)LOOP_PAGES * XPV_PAGE_SIZE));
	loop_memory = mmap(NULL, (size_t)LOOP_PAGES * XPV_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	port = mmap(NULL, XPV_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(loop_memory != MAP_FAILED && port != MAP_FAILED);
	for (i = 0; i < LOOP_PORTS; i++)
		front_fd[i] = eventfd(0, EFD_NONBLOCK);
	for (i = 0; i <= MAX_WORKERS; i++)
		back_fd[i] = eventfd(0, EFD_NONBLOCK);
}

void loop_reset(void)
{
	memset(port, 0, LOOP_PORTS * sizeof(*port));
}

static u32 get(const u32 *at)
{
	return __atomic_load_n(at, __ATOMIC_SEQ_CST);
}

static u32 set(u32 *at, u32 value)
{
	return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);
}

void loop_kick(u32 i)
{
	u32 bound = get(&port[i].bound);

	set(&port[i].pending, 1);
	if (bound && !get(&port[i].masked))
		eventfd_write(back_fd[bound], 1);
}

bool loop_wait(u32 i, int ms)
{
	struct pollfd p = { .fd = front_fd[i], .events = POLLIN };
	eventfd_t n;

	return poll(&p, 1, ms) == 1 && !eventfd_read(front_fd[i], &n);
}

int world_open(void)
{
	return 0;
}

void world_close(void)
{
}

/*
 * Pages that follow each other where they are, as those of rings do: another view of these would hide from
 * ThreadSanitizer who waits for whom. Others as a view of their own.
 */
void *world_map(u16 domid, const u32 *gref, u32 n)
{
	bool apart = false;
	u8 *view;
	u32 i;

	for (i = 0; i < n; i++) {
		apart |= gref[i] != gref[0] + i;
		if (domid != LOOP_DOMID || gref[i] >= LOOP_PAGES || __atomic_load_n(&loop_refuses, __ATOMIC_RELAXED)) {
			errno = EINVAL;
			return NULL;
		}
	}
	__atomic_add_fetch(&loop_mapped, n, __ATOMIC_RELAXED);
	if (!apart)
		return loop_page(gref[0]);
	view = mmap(NULL, n * XPV_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(view != MAP_FAILED);
	for (i = 0; i < n; i++)
		assert(mmap(view + i * XPV_PAGE_SIZE, XPV_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory_fd,
			    (off_t)gref[i] * XPV_PAGE_SIZE) != MAP_FAILED);
	return view;
}

void world_unmap(void *at, u32 n)
{
	__atomic_sub_fetch(&loop_mapped, n, __ATOMIC_RELAXED);
	if ((u8 *)at < loop_memory || (u8 *)at >= loop_memory + (size_t)LOOP_PAGES * XPV_PAGE_SIZE)
		munmap(at, n * XPV_PAGE_SIZE);
}

bool xpv_os_in_use(xpv_page page)
{
	(void)page;
	return false;
}

static s16 copy(const struct xpv_copy_op *op)
{
	bool to_peer = op->flags == XPV_COPY_TO_PEER;
	const union xpv_copy_end *theirs = to_peer ? &op->dest : &op->source;
	void *mem = to_peer ? op->source.mem : op->dest.mem;
	u8 *peer;

	assert(theirs->peer.offset + op->len <= XPV_PAGE_SIZE);
	if (theirs->peer.domid != LOOP_DOMID || theirs->peer.gref >= LOOP_PAGES)
		return -3;
	peer = (u8 *)loop_page(theirs->peer.gref) + theirs->peer.offset;
	memcpy(to_peer ? peer : mem, to_peer ? mem : peer, op->len);
	return 0;
}

void xpv_os_copy(struct xpv_copy_batch *b)
{
	u32 i;

	for (i = 0; i < b->n; i++)
		b->op[i].status = copy(&b->op[i]);
}

struct channels *channels_open(void)
{
	static u32 last;
	struct channels *c = malloc(sizeof(*c));

	c->number = last++ % MAX_WORKERS + 1;
	return c;
}

void channels_close(struct channels *c)
{
	free(c);
}

int channels_fd(struct channels *c)
{
	return back_fd[c->number];
}

int channel_bind(struct channels *c, u16 domid, u32 i)
{
	if (domid != LOOP_DOMID || i >= LOOP_PORTS || get(&port[i].bound))
		return -EINVAL;
	set(&port[i].masked, 0);
	set(&port[i].bound, c->number);
	eventfd_write(back_fd[c->number], 1);
	return (int)(i + OWN_PORTS);
}

void channel_unbind(struct channels *c, u32 own)
{
	(void)c;
	set(&port[own - OWN_PORTS].bound, 0);
}

u32 channels_read(struct channels *c, u32 *own, u32 n)
{
	eventfd_t count;
	u32 i, got = 0;

	eventfd_read(back_fd[c->number], &count);
	for (i = 0; i < LOOP_PORTS && got < n; i++) {
		if (get(&port[i].bound) != c->number || get(&port[i].masked) || !set(&port[i].pending, 0))
			continue;
		set(&port[i].masked, 1);
		own[got++] = i + OWN_PORTS;
	}
	return got;
}

void channel_unmask(struct channels *c, u32 own)
{
	struct port *p = &port[own - OWN_PORTS];

	set(&p->masked, 0);
	if (get(&p->pending))
		eventfd_write(back_fd[c->number], 1);
}

void channel_notify(struct channels *c, u32 own)
{
	(void)c;
	eventfd_write(front_fd[own - OWN_PORTS], 1);
}
