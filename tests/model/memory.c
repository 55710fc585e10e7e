// SPDX-License-Identifier: GPL-2.0-only
#undef NDEBUG
#include "memory.h"

static void join(struct view *to, const struct view *from)
{
	u32 w;

	for (w = 0; w < WORDS; w++)
		if (to->at[w] < from->at[w])
			to->at[w] = from->at[w];
}

void memory_set(struct memory *m, u32 w, u32 value)
{
	m->writes[w] = 1;
	m->write[w][0].value = value;
}

u32 memory_choices(const struct memory *m, u32 end, u32 w)
{
	return m->writes[w] - m->end[end].now.at[w];
}

u32 memory_load(struct memory *m, u32 end, u32 w, u32 choice, enum order order)
{
	struct end_views *e = &m->end[end];
	u8 i = (u8)(m->writes[w] - 1 - choice);
	const struct write *read = &m->write[w][i];

	e->now.at[w] = i;
	if (e->later.at[w] < i)
		e->later.at[w] = i;
	join(order == ORDERED ? &e->now : &e->later, &read->view);
	join(&e->later, &e->now);
	return read->value;
}

bool memory_store(struct memory *m, u32 end, u32 w, u32 value, enum order order)
{
	struct end_views *e = &m->end[end];
	u8 i = m->writes[w]++;
	bool known = e->now.at[w] == i - 1;

	assert(i < WRITES);
	e->now.at[w] = i;
	e->later.at[w] = i;
	m->write[w][i].value = value;
	m->write[w][i].view = order == ORDERED ? e->now : e->fenced;
	m->write[w][i].view.at[w] = i;
	return known;
}

void memory_fence(struct memory *m, u32 end)
{
	struct end_views *e = &m->end[end];

	join(&e->now, &e->later);
	join(&e->now, &m->fence);
	m->fence = e->now;
	e->later = e->now;
	e->fenced = e->now;
}

void memory_join(struct memory *m, u32 end, const struct view *view)
{
	join(&m->end[end].now, view);
	join(&m->end[end].later, view);
}

static void shift(struct view *v, u32 w, u8 n)
{
	v->at[w] = v->at[w] > n ? (u8)(v->at[w] - n) : 0;
}

void memory_forget(struct memory *m, struct view event[ENDS])
{
	u32 w, i, k;
	u8 n;

	for (w = 0; w < WORDS; w++) {
		n = m->end[0].now.at[w] < m->end[1].now.at[w] ? m->end[0].now.at[w] : m->end[1].now.at[w];
		if (!n)
			continue;
		m->writes[w] -= n;
		memmove(m->write[w], m->write[w] + n, m->writes[w] * sizeof(m->write[w][0]));
		memset(m->write[w] + m->writes[w], 0, n * sizeof(m->write[w][0]));
		shift(&m->fence, w, n);
		for (i = 0; i < ENDS; i++) {
			shift(&event[i], w, n);
			shift(&m->end[i].now, w, n);
			shift(&m->end[i].later, w, n);
			shift(&m->end[i].fenced, w, n);
		}
		for (i = 0; i < WORDS; i++)
			for (k = 0; k < m->writes[i]; k++)
				shift(&m->write[i][k].view, w, n);
	}
}
