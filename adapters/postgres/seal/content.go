package seal

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// contentVersion is a content's first byte: the form of what follows.
const contentVersion = 1

// The first byte of a section under its seal says how its parts are kept.
const (
	partsRaw  = 0
	partsZstd = 1
	partsS2   = 2 // with contentDictionary
)

// The number of a section is part of what its seal authenticates.
const (
	sectionTenant  = 1
	sectionSubject = 2
)

// maxContentBytes bounds what the parts of one entry may have together, before compression.
const maxContentBytes = 16 << 20

var errContentDamaged = errors.New("the content is damaged")

// Codec compresses and seals the contents of entries. Safe for concurrent use.
//
// A content is the version byte, the length of the tenant's section, that section, and the subject's, which may be
// empty. A section is sealed(form, number of parts, the parts' salts, the parts), the parts raw or compressed, each as
// length and name, length and bytes. The salts stand apart because nothing compresses them.
type Codec struct {
	keys       *Keyring
	dictionary *s2.Dict
	encoder    *zstd.Encoder
	decoder    *zstd.Decoder
	raws       sync.Pool // of *[]byte: the parts of a section, before compression
}

// smallContent is up to where S2 with the dictionary serves, and zstd from there on. Measured on the facts of a
// delivery: S2 takes a fraction of the time that zstd takes with the same dictionary, for the same space in the small
// ones; for an event of a kilobyte zstd's entropy coding would save a tenth.
const smallContent = 4 << 10

// NewCodec makes a codec that takes its keys from the keyring. Close it when nothing uses it any more.
func NewCodec(keys *Keyring) (*Codec, error) {
	c := &Codec{
		keys:       keys,
		dictionary: s2.MakeDict([]byte(contentDictionary), nil),
		raws:       sync.Pool{New: func() any { return new([]byte) }},
	}
	var errs [2]error
	// The seal detects damage: no checksum.
	c.encoder, errs[0] = zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithWindowSize(128<<10),
		zstd.WithEncoderLevel(zstd.SpeedFastest))
	c.decoder, errs[1] = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(2*maxContentBytes))
	return c, errors.Join(errs[:]...)
}

// Close gives up what the codec holds.
func (c *Codec) Close() { c.decoder.Close() } // encoders that write to nothing hold nothing

// Packed is a content that is ready to be sealed, once the rest of the leaf is known.
type Packed struct {
	// Commitments are those of all parts, in no order.
	Commitments []domain.Commitment
	// Kept are the parts that the content has of the fact's: without the personal ones if their key was destroyed.
	Kept []domain.Part
	// Erased says that personal parts were left out.
	Erased          bool
	tenant, subject []byte // the sections before their seals
}

// Size is about how many bytes the content will take.
func (p *Packed) Size() int { return len(p.tenant) + len(p.subject) }

// Pack commits to the parts and compresses them, the personal ones apart where the entry is about a subject. Those of a
// subject whose secret was destroyed are left out. It returns nil for no parts.
func (c *Codec) Pack(parts []domain.Part, keys *Keys) (*Packed, error) {
	if len(parts) == 0 && keys.SubjectID.IsZero() {
		return nil, nil
	}
	size := 0
	for _, p := range parts {
		size += len(p.Bytes)
	}
	if size > maxContentBytes {
		return nil, fmt.Errorf("a content of %d bytes is over %d: %w", size, maxContentBytes, domain.ErrRefused)
	}
	packed := &Packed{Kept: parts, Erased: !keys.SubjectID.IsZero() && keys.Subject == nil}
	if keys.SubjectID.IsZero() {
		packed.Commitments = make([]domain.Commitment, 0, len(parts))
		packed.tenant = c.pack(packed, parts)
		return packed, nil
	}
	tenants, subjects := make([]domain.Part, 0, len(parts)+1), make([]domain.Part, 0, len(parts))
	for _, p := range parts {
		if p.Personal() {
			subjects = append(subjects, p)
		} else {
			tenants = append(tenants, p)
		}
	}
	if packed.Erased {
		packed.Kept, subjects = tenants[:len(tenants):len(tenants)], nil
	}
	tenants = append(tenants, domain.Part{Name: domain.PartSubjectKey, Bytes: keys.SubjectID[:]})
	packed.Commitments = make([]domain.Commitment, 0, len(tenants)+len(subjects))
	packed.tenant = c.pack(packed, tenants)
	if len(subjects) > 0 {
		packed.subject = c.pack(packed, subjects)
	}
	return packed, nil
}

// pack makes the plain text of a section.
func (c *Codec) pack(packed *Packed, parts []domain.Part) []byte {
	pooled := c.raws.Get().(*[]byte)
	defer c.raws.Put(pooled)
	raw := (*pooled)[:0]
	for _, p := range parts {
		raw = append(binary.AppendUvarint(raw, uint64(len(p.Name))), p.Name...)
		raw = append(binary.AppendUvarint(raw, uint64(len(p.Bytes))), p.Bytes...)
	}
	*pooled = raw
	salted := 2 + len(parts)*domain.SaltBytes
	head := make([]byte, salted, salted+len(raw)+len(raw)/32+16) // S2 and zstd may grow a little on the way
	head[0], head[1] = partsRaw, byte(len(parts))
	_, _ = rand.Read(head[2:]) // never fails
	for i, p := range parts {
		salt := head[2+i*domain.SaltBytes : 2+(i+1)*domain.SaltBytes]
		packed.Commitments = append(packed.Commitments, domain.Commit(p.Name, salt, p.Bytes))
	}
	plain := c.compress(head, raw)
	if len(plain)-len(head) >= len(raw) {
		plain = append(plain[:len(head)], raw...)
		plain[0] = partsRaw
	}
	return plain
}

// Seal seals what was packed for the same keys. leafContext is what the leaf says (domain.Leaf.AppendContext); Seal may
// write behind its end.
func (c *Codec) Seal(packed *Packed, keys *Keys, leafContext []byte) ([]byte, error) {
	first, err := c.sealSection(packed.tenant, keys.Tenant, keys.Period, append(leafContext, sectionTenant))
	if err != nil {
		return nil, err
	}
	var second []byte
	if packed.subject != nil {
		second, err = c.sealSection(packed.subject, keys.Subject, keys.Period, append(leafContext, sectionSubject))
		if err != nil {
			return nil, err
		}
	}
	content := make([]byte, 0, 1+binary.MaxVarintLen32+len(first)+len(second))
	content = binary.AppendUvarint(append(content, contentVersion), uint64(len(first)))
	return append(append(content, first...), second...), nil
}

func (c *Codec) sealSection(plain []byte, owner, period *Secret, associated []byte) ([]byte, error) {
	key, err := c.keys.section(owner, period)
	if err != nil {
		return nil, err
	}
	sealed, err := key.Encrypt(plain, associated)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// compress appends the parts of a section to its head, and says in the head's first byte how.
func (c *Codec) compress(head, raw []byte) []byte {
	if len(raw) > smallContent {
		head[0] = partsZstd
		return c.encoder.EncodeAll(raw, head)
	}
	head[0] = partsS2
	head = slices.Grow(head, s2.MaxEncodedLen(len(raw)))
	block := c.dictionary.Encode(head[len(head):cap(head)], raw) // in place: there is room for it
	return head[:len(head)+len(block)]
}

func (c *Codec) decompress(form byte, packed []byte) ([]byte, error) {
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

// State is what could be opened of a content.
type State int

// The states of a content.
const (
	Whole         State = iota
	SubjectErased       // the subject's secret was destroyed: their parts are missing
	Erased              // the tenant's secret or the period's was destroyed: nothing can be opened
	Damaged             // it doesn't open although its secrets exist, or one of them is missing without having been destroyed
)

// Content is one to open, and what was found in it.
type Content struct {
	Tenant      domain.TenantID
	Period      domain.UUID // of the period's secret, as in the leaf
	LeafContext []byte      // domain.Leaf.AppendContext
	Sealed      []byte

	State      State
	Parts      []domain.Part // without that which names the subject's secret, unless all are wanted
	Salts      [][]byte      // of the parts
	SubjectKey domain.UUID   // zero: about nobody
	Problem    error         // of a damaged one
	subject    []byte        // section
}

// OpenAll opens contents, asking db for the secrets of all of them.
func (c *Codec) OpenAll(ctx context.Context, db postgres.Querier, contents []Content) error {
	_, err := c.OpenFirst(ctx, db, contents, math.MaxInt)
	return err
}

// OpenFirst opens contents until those that are open have most bytes together, at least one, and returns how many are
// open. Only opening tells how large a content is: a sealed one of a kilobyte may hold a thousand times as much.
func (c *Codec) OpenFirst(ctx context.Context, db postgres.Querier, contents []Content, most int) (int, error) {
	periods, err := c.secrets(ctx, db, contents)
	if err != nil {
		return 0, err
	}
	size := 0
	var ids []domain.UUID
	asked := make(map[domain.UUID]bool)
	for i := range contents {
		if i > 0 && size >= most {
			contents = contents[:i]
			break
		}
		o := &contents[i]
		c.openTenants(o, periods)
		size += o.size()
		if !o.SubjectKey.IsZero() && !asked[o.SubjectKey] {
			asked[o.SubjectKey] = true
			ids = append(ids, o.SubjectKey)
		}
	}
	subjects, err := c.keys.Read(ctx, db, ids, nil)
	if err != nil {
		return 0, err
	}
	size = 0
	for i := range contents {
		if i > 0 && size >= most {
			clear(contents[i:]) // their tenants' sections, and what of them is open
			contents = contents[:i]
			break
		}
		o := &contents[i]
		if o.State == Whole && !o.SubjectKey.IsZero() {
			c.openSubjects(o, subjects, periods)
		}
		size += o.size()
	}
	return len(contents), nil
}

// size is how many bytes the parts have that are open.
func (o *Content) size() (n int) {
	for i := range o.Parts {
		n += len(o.Parts[i].Bytes)
	}
	return n
}

// secrets reads those of the tenants and periods.
func (c *Codec) secrets(ctx context.Context, db postgres.Querier, contents []Content) (*Found, error) {
	var ids []domain.UUID
	var tenants []domain.TenantID
	askedIDs, askedTenants := make(map[domain.UUID]bool), make(map[domain.TenantID]bool)
	for i := range contents {
		o := &contents[i]
		if !askedIDs[o.Period] {
			askedIDs[o.Period] = true
			ids = append(ids, o.Period)
		}
		if !askedTenants[o.Tenant] {
			askedTenants[o.Tenant] = true
			tenants = append(tenants, o.Tenant)
		}
	}
	return c.keys.Read(ctx, db, ids, tenants)
}

func (o *Content) damaged(problem error) {
	o.State, o.Problem, o.Parts, o.Salts = Damaged, problem, nil, nil
}

func (c *Codec) openTenants(o *Content, found *Found) {
	tenant, tenantState := stateOf(found.tenants, o.Tenant)
	period, periodState := stateOf(found.byID, o.Period)
	switch {
	case tenantState == missing:
		o.damaged(fmt.Errorf("the data key of tenant %s is missing", o.Tenant))
		return
	case periodState == missing:
		o.damaged(fmt.Errorf("data key %s is missing", o.Period))
		return
	case tenantState == destroyed || periodState == destroyed:
		o.State = Erased
		return
	case period.Purpose.Kind != KindPeriod || period.Purpose.Tenant != o.Tenant:
		o.damaged(fmt.Errorf("data key %s isn't of a period of tenant %s", o.Period, o.Tenant))
		return
	}
	if len(o.Sealed) == 0 || o.Sealed[0] != contentVersion {
		o.damaged(errors.New("the content is of a version that this program doesn't know"))
		return
	}
	first, rest, ok := cutCounted(o.Sealed[1:])
	if !ok {
		o.damaged(errContentDamaged)
		return
	}
	if err := c.openSection(o, first, tenant, period, sectionTenant); err != nil {
		o.damaged(err)
		return
	}
	for i, p := range o.Parts {
		if p.Name != domain.PartSubjectKey {
			continue
		}
		if len(p.Bytes) != len(o.SubjectKey) {
			o.damaged(errContentDamaged)
			return
		}
		copy(o.SubjectKey[:], o.Parts[i].Bytes)
	}
	if o.SubjectKey.IsZero() && len(rest) > 0 {
		o.damaged(errContentDamaged)
		return
	}
	o.subject = rest
}

func (c *Codec) openSubjects(o *Content, subjects, periods *Found) {
	subject, err := subjects.Subject(o.SubjectKey, o.Tenant)
	switch {
	case err != nil:
		o.damaged(err)
	case subject == nil:
		o.State = SubjectErased
	case len(o.subject) > 0:
		if err := c.openSection(o, o.subject, subject, periods.byID[o.Period], sectionSubject); err != nil {
			o.damaged(err)
		}
	}
}

// openSection appends a section's parts to the content's.
func (c *Codec) openSection(o *Content, sealed []byte, owner, period *Secret, section byte) error {
	key, err := c.keys.section(owner, period)
	if err != nil {
		return err
	}
	return c.openWith(key, o, sealed, section)
}

func (c *Codec) openWith(key tink.AEAD, o *Content, sealed []byte, section byte) error {
	context := o.LeafContext[:len(o.LeafContext):len(o.LeafContext)]
	plain, err := key.Decrypt(sealed, append(context, section))
	if err != nil || len(plain) < 2 {
		return errContentDamaged
	}
	form, n, rest := plain[0], int(plain[1]), plain[2:]
	if len(rest) < n*domain.SaltBytes {
		return errContentDamaged
	}
	salts, packed := rest[:n*domain.SaltBytes], rest[n*domain.SaltBytes:]
	raw, err := c.decompress(form, packed)
	if err != nil {
		return err
	}
	parts, err := unpack(raw, n)
	if err != nil {
		return err
	}
	for i := range parts {
		if parts[i].Personal() != (section == sectionSubject) && !(section == sectionTenant && o.aboutNobody(parts)) {
			return errContentDamaged
		}
		o.Salts = append(o.Salts, salts[i*domain.SaltBytes:(i+1)*domain.SaltBytes])
	}
	o.Parts = append(o.Parts, parts...)
	return nil
}

// aboutNobody reports whether the parts of the tenant's section name no subject: then all parts are there.
func (o *Content) aboutNobody(parts []domain.Part) bool {
	for i := range parts {
		if parts[i].Name == domain.PartSubjectKey {
			return false
		}
	}
	return true
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
