package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// The first byte of a content under its seal says how its parts are kept.
const (
	partsRaw  = 0
	partsZstd = 1
	partsS2   = 2 // with contentDictionary
)

// maxContentBytes bounds what the parts of one entry may have together, before compression.
const maxContentBytes = 16 << 20

var errContentDamaged = errors.New("the content is damaged")

// codec compresses and seals the contents of entries. Safe for concurrent use.
//
// A content is sealed(form, number of parts, the parts' salts, the parts), the parts raw or compressed, each as length
// and name, length and bytes. The salts stand apart because nothing compresses them.
type codec struct {
	dictionary *s2.Dict // for opening
	small      *smallEncoder
	encoder    *zstd.Encoder
	decoder    *zstd.Decoder
	buffers    sync.Pool // of *sealBuffers
}

// smallContent is up to where S2 with the dictionary serves (small.go), and zstd from there on. Measured on the four facts of
// a delivery (BenchmarkCodec): S2 takes less than a tenth of the time that zstd takes with the same dictionary, for the same
// space in the three small ones, and a quarter of it for an event of a kilobyte, in which zstd's entropy coding would save a tenth.
const smallContent = 4 << 10

// sealBuffers are what sealing works in.
type sealBuffers struct {
	window  []byte // contentDictionary, then the parts
	plain   []byte
	context []byte
}

func newSealBuffers() *sealBuffers { return &sealBuffers{window: []byte(contentDictionary)} }

func newCodec() (*codec, error) {
	c := &codec{
		dictionary: s2.MakeDict([]byte(contentDictionary), nil),
		small:      newSmallEncoder(contentDictionary),
		buffers:    sync.Pool{New: func() any { return newSealBuffers() }},
	}
	var errs [2]error
	// The seal detects damage: no checksum.
	c.encoder, errs[0] = zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithWindowSize(128<<10),
		zstd.WithEncoderLevel(zstd.SpeedFastest))
	c.decoder, errs[1] = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(2*maxContentBytes))
	return c, errors.Join(errs[:]...)
}

// seal commits to each part and returns the commitments, in the order of their names as in the leaf, and the content.
func (c *codec) seal(key tink.AEAD, origin string, parts []domain.Part) ([]domain.Commitment, []byte, error) {
	size := 0
	for _, p := range parts {
		size += len(p.Bytes)
	}
	if size > maxContentBytes {
		return nil, nil, fmt.Errorf("a content of %d bytes is over %d: %w", size, maxContentBytes, domain.ErrRefused)
	}
	buf := c.buffers.Get().(*sealBuffers)
	defer c.buffers.Put(buf)

	salts := make([]byte, len(parts)*domain.SaltBytes, 4*domain.SaltBytes)
	_, _ = rand.Read(salts) // never fails
	commitments := make([]domain.Commitment, len(parts))
	for i, p := range parts {
		commitments[i] = domain.Commit(p.Name, salts[i*domain.SaltBytes:(i+1)*domain.SaltBytes], p.Bytes)
	}
	slices.SortFunc(commitments, func(x, y domain.Commitment) int { return strings.Compare(x.Part, y.Part) })
	buf.plain = c.pack(buf, salts, parts)
	buf.context = appendContext(buf.context[:0], origin, commitments)
	content, err := key.Encrypt(buf.plain, buf.context)
	if err != nil {
		return nil, nil, fmt.Errorf("seal: %w", err)
	}
	return commitments, content, nil
}

func (c *codec) pack(buf *sealBuffers, salts []byte, parts []domain.Part) []byte {
	window := buf.window[:len(contentDictionary)]
	for _, p := range parts {
		window = append(binary.AppendUvarint(window, uint64(len(p.Name))), p.Name...)
		window = append(binary.AppendUvarint(window, uint64(len(p.Bytes))), p.Bytes...)
	}
	buf.window = window
	raw := window[len(contentDictionary):]
	head := append(append(buf.plain[:0], partsRaw, byte(len(parts))), salts...)
	plain := c.compress(head, window)
	if len(plain)-len(head) >= len(raw) {
		plain = append(plain[:len(head)], raw...)
		plain[0] = partsRaw
	}
	return plain
}

// compress appends what follows the dictionary in the window to the head, and says in its first byte how.
func (c *codec) compress(head, window []byte) []byte {
	if raw := window[len(contentDictionary):]; len(raw) > smallContent {
		head[0] = partsZstd
		return c.encoder.EncodeAll(raw, head)
	}
	head[0] = partsS2
	return c.small.encode(head, window)
}

func (c *codec) decompress(form byte, packed []byte) ([]byte, error) {
	switch form {
	case partsRaw:
		return packed, nil
	case partsZstd:
		if raw, err := c.decoder.DecodeAll(packed, nil); err == nil {
			return raw, nil
		}
		return nil, errContentDamaged
	case partsS2:
		if n, err := s2.DecodedLen(packed); err != nil || n > smallContent {
			return nil, errContentDamaged
		}
		if raw, err := c.dictionary.Decode(nil, packed); err == nil {
			return raw, nil
		}
		return nil, errContentDamaged
	}
	return nil, fmt.Errorf("the content has form %d: a newer program wrote it", form)
}

// open returns a content's parts and their salts.
func (c *codec) open(key tink.AEAD, leaf, content []byte) ([]domain.Part, []byte, error) {
	context, err := leafContext(leaf)
	if err != nil {
		return nil, nil, err
	}
	plain, err := key.Decrypt(content, context)
	if err != nil || len(plain) < 2 {
		return nil, nil, errContentDamaged
	}
	form, n, rest := plain[0], int(plain[1]), plain[2:]
	if len(rest) < n*domain.SaltBytes {
		return nil, nil, errContentDamaged
	}
	salts, raw := rest[:n*domain.SaltBytes], rest[n*domain.SaltBytes:]
	if raw, err = c.decompress(form, raw); err != nil {
		return nil, nil, err
	}
	parts, err := unpack(raw, n)
	return parts, salts, err
}

func unpack(raw []byte, n int) ([]domain.Part, error) {
	parts := make([]domain.Part, n)
	for i := range parts {
		name, rest, ok := cutCounted(raw)
		if !ok {
			return nil, errContentDamaged
		}
		content, rest, ok := cutCounted(rest)
		if !ok {
			return nil, errContentDamaged
		}
		parts[i], raw = domain.Part{Name: string(name), Bytes: content}, rest
	}
	if len(raw) > 0 {
		return nil, errContentDamaged
	}
	return parts, nil
}

func cutCounted(b []byte) (head, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	b = b[size:]
	return b[:n:n], b[n:], true
}

// appendContext appends a content's associated data: the tree's origin and the commitments as they stand in the leaf. So
// a content can't be put beside another leaf.
func appendContext(b []byte, origin string, sorted []domain.Commitment) []byte {
	b = append(append(b, origin...), '\n')
	for i := range sorted {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `"commitment.`...), sorted[i].Part...), `":"`...)
		b = base64.RawURLEncoding.AppendEncode(b, sorted[i].Value[:])
		b = append(b, '"')
	}
	return b
}

// leafContext makes the same from a leaf: its members are sorted, so the commitments stand together, and neither names
// nor values hold a quote.
func leafContext(leaf []byte) ([]byte, error) {
	const origin, commitment = `"origin":"`, `"commitment.`
	_, after, ok := bytes.Cut(leaf, []byte(origin))
	name, _, closed := bytes.Cut(after, []byte{'"'})
	begin, last := bytes.Index(leaf, []byte(commitment)), bytes.LastIndex(leaf, []byte(commitment))
	if !ok || !closed || begin < 0 {
		return nil, errors.New("the leaf is damaged")
	}
	end := last + len(commitment)
	for range 3 { // the quotes after the name and around the value
		quote := bytes.IndexByte(leaf[end:], '"')
		if quote < 0 {
			return nil, errors.New("the leaf is damaged")
		}
		end += quote + 1
	}
	context := make([]byte, 0, len(name)+1+end-begin)
	context = append(append(context, name...), '\n')
	return append(context, leaf[begin:end]...), nil
}

func (c *codec) close() {
	c.decoder.Close() // encoders that write to nothing hold nothing
}
