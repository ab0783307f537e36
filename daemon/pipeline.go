package daemon

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/semaphore"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/store"
)

// Bounds of a batch, which is one transaction, and of what is under way
// between the network and the commit.
const (
	batchMails = 250
	batchBytes = 4 << 20
	flight     = 8 << 20 // bytes of fetched mail in memory
)

// pipeline carries fetched mails to the store: read in parallel, committed in
// batches and in order, while the next ones come in from the network.
type pipeline struct {
	c        *collector
	box      store.Mailbox
	ctx      context.Context
	cancel   context.CancelCauseFunc
	room     *semaphore.Weighted
	queue    chan *pending // in the order of the server
	work     chan *pending
	wg       sync.WaitGroup
	drained  chan struct{}
	mu       sync.Mutex
	taken    []desk.Taken
	stopOnce sync.Once
}

// pending is one mail on its way. ready is closed when in or err is set.
type pending struct {
	raw    *mail.Raw
	weight int64
	ready  chan struct{}
	in     *desk.Incoming
	err    error
}

func (c *collector) startPipeline(ctx context.Context, box store.Mailbox) *pipeline {
	p := &pipeline{
		c: c, box: box, room: semaphore.NewWeighted(flight),
		queue: make(chan *pending, 2*batchMails), work: make(chan *pending), drained: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	for range max(1, runtime.GOMAXPROCS(0)-1) { // one processor is the writer's: it sets the pace
		p.wg.Go(p.prepare)
	}
	go p.commit()
	return p
}

// add takes over a mail from the network. It waits while too much is under way.
func (p *pipeline) add(raw *mail.Raw) error {
	m := &pending{raw: raw, weight: min(raw.Length, 1<<20) + 4096, ready: make(chan struct{})}
	if err := p.room.Acquire(p.ctx, m.weight); err != nil {
		raw.Close()
		return context.Cause(p.ctx)
	}
	select {
	case p.work <- m:
		p.queue <- m // commit reads until it is closed, so this ends
		return nil
	case <-p.ctx.Done():
		raw.Close()
		return context.Cause(p.ctx)
	}
}

func (p *pipeline) prepare() {
	for m := range p.work {
		m.in, m.err = p.c.taker.Prepare(m.raw)
		if m.err == nil {
			p.c.describe(m.in, p.box)
		}
		close(m.ready)
	}
}

// commit takes the mails in batches. A batch ends when it is full, or when
// the next mail is not there yet: a single mail waits for nobody.
func (p *pipeline) commit() {
	defer close(p.drained)
	var batch []*pending
	var bytes int64
	flush := func() {
		p.takeBatch(batch)
		for _, m := range batch {
			m.raw.Close()
			p.room.Release(m.weight)
		}
		batch, bytes = batch[:0], 0
	}
	for m := range p.queue {
		<-m.ready
		batch = append(batch, m)
		bytes += m.raw.Length
		if len(batch) >= batchMails || bytes >= batchBytes || len(p.queue) == 0 {
			flush()
		}
	}
}

func (p *pipeline) takeBatch(batch []*pending) {
	if p.ctx.Err() != nil {
		return // an earlier batch failed: these are still on the server
	}
	mails := make([]*desk.Incoming, 0, len(batch))
	for _, m := range batch {
		if m.err != nil {
			p.cancel(m.err)
			return
		}
		mails = append(mails, m.in)
	}
	if fault := p.c.recognise(p.ctx, mails); fault != nil {
		p.cancel(fault)
		return
	}
	taken, err := p.c.takeMails(p.ctx, p.box, mails)
	queued := false
	for _, t := range taken {
		queued = queued || t.Queued
	}
	p.mu.Lock()
	p.taken = append(p.taken, taken...)
	p.mu.Unlock()
	p.c.taken(queued)
	if err != nil {
		p.cancel(fmt.Errorf("taking mail: %w", err))
	}
}

// committed hands out what was committed since the last call.
func (p *pipeline) committed() []desk.Taken {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.taken
	p.taken = nil
	return taken
}

// drain waits until all that was added is committed or given up.
func (p *pipeline) drain() {
	p.stopOnce.Do(func() {
		close(p.work)
		close(p.queue)
		p.wg.Wait()
		<-p.drained
	})
}

// stop drains and returns why the pipeline gave up, if it did.
func (p *pipeline) stop() error {
	p.drain()
	err := context.Cause(p.ctx)
	p.cancel(nil)
	return err
}
