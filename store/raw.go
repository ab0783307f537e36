package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// pieceSize is how many bytes of a raw mail are packed and stored at once:
	// what a large mail costs in memory, whoever writes or reads it.
	pieceSize = 256 << 10
	// packedMax is the largest mail that is packed before the transaction; the
	// packed pieces of a larger one are not held in memory.
	packedMax = 1 << 20
	// piecesMax is the room between two ledger lines in the ids of pieces: 16 GB.
	piecesMax = 1 << 16
)

// Values of the raw table's codec.
const (
	codecPlain = 0
	codecZstd  = 1
)

// Packed is a raw mail ready for PutRaw.
type Packed struct {
	pieces []piece
	rest   *io.SectionReader // a large mail, packed when it is written
}

type piece struct {
	codec  int64
	length int64 // bytes when unpacked
	data   []byte
}

// zstdCodec packs and unpacks pieces. It has one packer for each of two
// processors, with windows no larger than a piece: about 1 MB each.
type zstdCodec struct {
	enc  *zstd.Encoder
	dec  *zstd.Decoder
	bufs sync.Pool // *[]byte of pieceSize
}

func newZstdCodec() (*zstdCodec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithWindowSize(pieceSize), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, fmt.Errorf("making the packer: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(maxReaders), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(4*pieceSize))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making the unpacker: %w", err), enc.Close())
	}
	z := &zstdCodec{enc: enc, dec: dec}
	z.bufs.New = func() any { b := make([]byte, pieceSize); return &b }
	return z, nil
}

func (z *zstdCodec) close() error {
	z.dec.Close()
	return z.enc.Close()
}

// pack packs one piece, or copies it where that would save less than a
// sixteenth.
func (z *zstdCodec) pack(b []byte) piece {
	packed := z.enc.EncodeAll(b, make([]byte, 0, len(b)/2+64))
	if len(packed) < len(b)-len(b)/16 {
		return piece{codec: codecZstd, length: int64(len(b)), data: packed}
	}
	return piece{codec: codecPlain, length: int64(len(b)), data: append(packed[:0], b...)}
}

func (z *zstdCodec) unpack(p piece) ([]byte, error) {
	b := p.data
	if p.codec == codecZstd {
		var err error
		if b, err = z.dec.DecodeAll(p.data, make([]byte, 0, p.length)); err != nil {
			return nil, fmt.Errorf("unpacking: %w", err)
		}
	}
	if int64(len(b)) != p.length {
		return nil, fmt.Errorf("unpacking: %d bytes instead of %d", len(b), p.length)
	}
	return b, nil
}

// each packs what r holds piece by piece; empty content is one empty piece.
func (z *zstdCodec) each(r *io.SectionReader, fn func(piece) error) error {
	buf := z.bufs.Get().(*[]byte)
	defer z.bufs.Put(buf)
	for at := int64(0); at == 0 || at < r.Size(); at += pieceSize {
		b := (*buf)[:min(pieceSize, r.Size()-at)]
		if n, err := r.ReadAt(b, at); n < len(b) {
			return fmt.Errorf("reading the mail at byte %d: %w", at+int64(n), err)
		}
		if err := fn(z.pack(b)); err != nil {
			return err
		}
	}
	return nil
}

// Pack prepares a raw mail for PutRaw: up to 1 MB are packed here, so that the
// transaction need not do it; r must stay readable until PutRaw. It may be
// called by many goroutines.
func (s *Store) Pack(r *io.SectionReader) (Packed, error) {
	if r.Size() > packedMax {
		return Packed{rest: r}, nil
	}
	var p Packed
	err := s.zstd.each(r, func(one piece) error {
		p.pieces = append(p.pieces, one)
		return nil
	})
	if err != nil {
		return Packed{}, fmt.Errorf("packing a mail: %w", err)
	}
	return p, nil
}

// PutRaw keeps the raw mail of a ledger line, in the place of what was kept.
func (t *Tx) PutRaw(ledgerID int64, p Packed) error {
	id := ledgerID * piecesMax
	last := id + piecesMax - 1
	put := func(one piece) error {
		const add = "INSERT INTO raw (id, codec, length, data) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
		if id > last {
			return errors.New("it is larger than 16 GB")
		}
		n, err := t.exec(add, id, one.codec, one.length, one.data)
		if err == nil && n == 0 { // an earlier state of it is there
			if _, err = t.exec("DELETE FROM raw WHERE id BETWEEN ? AND ?", id, last); err == nil {
				_, err = t.exec(add, id, one.codec, one.length, one.data)
			}
		}
		id++
		return err
	}
	var err error
	for _, one := range p.pieces {
		if err = put(one); err != nil {
			break
		}
	}
	if p.rest != nil {
		err = t.zstd.each(p.rest, put)
	}
	if err != nil {
		return fmt.Errorf("keeping the raw mail of ledger line %d: %w", ledgerID, err)
	}
	return nil
}

// OpenRaw returns the raw mail of a ledger line and its length in bytes. It is
// read piece by piece, each with a query of its own, so that a slow reader
// holds up nobody. ctx is that of all reading.
func (v *View) OpenRaw(ctx context.Context, ledgerID int64) (io.ReadCloser, int64, error) {
	id := ledgerID * piecesMax
	type extent struct{ pieces, length int64 }
	all, err := one(ctx, v, func(r *row) extent { return extent{r.int(), r.int()} },
		"SELECT count(*), sum(length) FROM raw WHERE id BETWEEN ? AND ?", id, id+piecesMax-1)
	if err == nil && all.pieces == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, 0, fmt.Errorf("opening the raw mail of ledger line %d: %w", ledgerID, err)
	}
	return &rawReader{ctx: ctx, view: v, next: id, end: id + all.pieces}, all.length, nil
}

// rawReader reads the pieces of a raw mail one after the other.
type rawReader struct {
	ctx       context.Context
	view      *View
	next, end int64  // ids
	rest      []byte // of the piece read last
}

func (r *rawReader) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.next >= r.end {
			return 0, io.EOF
		}
		p, err := one(r.ctx, r.view, func(r *row) piece { return piece{codec: r.int(), length: r.int(), data: r.bytes()} },
			"SELECT codec, length, data FROM raw WHERE id = ?", r.next)
		if err == nil {
			r.rest, err = r.view.zstd.unpack(p)
		}
		if err != nil {
			return 0, fmt.Errorf("reading piece %d of the raw mail of ledger line %d: %w", r.next%piecesMax, r.next/piecesMax, err)
		}
		r.next++
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *rawReader) Close() error {
	r.next, r.rest = r.end, nil
	return nil
}
