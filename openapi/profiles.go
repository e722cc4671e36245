package openapi

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// profileOut is a wire format as the API shows it. Its document is spliced in.
type profileOut struct {
	Name        string          `json:"name" doc:"As endpoints name it." example:"standard-webhooks"`
	Version     int             `json:"version" doc:"Of the document. Endpoints keep the one with which they were made." example:"1"`
	Digest      string          `json:"digest" doc:"SHA-256 of the document, in hex: the profile_digest of attempts." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	Description string          `json:"description,omitempty" doc:"What the document says about itself." example:"Standard Webhooks."`
	Transport   string          `json:"transport" enum:"https,http_or_https" doc:"What URLs may begin with." example:"http_or_https"`
	Signs       bool            `json:"signs" doc:"Whether requests carry a signature where the endpoint has a key." example:"true"`
	SelfService bool            `json:"self_service" doc:"Whether receivers may make endpoints of this format themselves, with a registration." example:"true"`
	BuiltIn     bool            `json:"built_in" doc:"Whether it is built into the program; else an operator added it." example:"true"`
	EventTypes  []string        `json:"event_types,omitempty" doc:"The vendor's catalogue; other types may be sent too." example:"[\"offer.issued\"]"`
	AddedAt     rest.Stamp      `json:"added_at,omitzero" doc:"When an operator added it." example:"2026-07-01T12:00:00.123456Z"`
	Document    json.RawMessage `json:"document,omitempty" required:"true" doc:"The whole format, without insignificant white space: what POST takes." example:"{\"name\":\"standard-webhooks\",\"version\":1}"`
}

// showProfile appends a profile with its document.
func showProfile(c *call, b []byte, p *domain.Profile) ([]byte, error) {
	out := profileOut{
		Name: p.Name, Version: p.Version, Digest: p.Digest, Description: p.Description, Transport: "http_or_https",
		Signs:       p.Signs,
		SelfService: p.SelfService, BuiltIn: p.BuiltIn, EventTypes: p.EventTypes,
	}
	if p.HTTPSOnly {
		out.Transport = "https"
	}
	if added, ok := c.Directory.Profile(p.Digest); ok && !p.BuiltIn {
		out.AddedAt = rest.Stamp(added.Added.RecordedAt)
	}
	return rest.Splice(b, out, domain.Member{Name: "document", Raw: p.Document})
}

// profileNamed finds the newest version of a profile, also of one that was added a moment ago by another process.
func profileNamed(ctx context.Context, c *call, name string) (domain.Profile, bool, error) {
	return findProfile(ctx, c, c.Profiles.Named, name)
}

// profileOf finds the version of a profile that an endpoint was made with, whatever came after it.
func profileOf(ctx context.Context, c *call, config domain.EndpointConfig) (domain.Profile, error) {
	p, ok, err := findProfile(ctx, c, c.Profiles.ByDigest, config.ProfileDigest)
	if err == nil && !ok {
		err = rest.Refuse(http.StatusConflict, "unknown_profile",
			"This server doesn't know the endpoint's profile any more.")
	}
	return p, err
}

// findProfile looks again after the directory caught up: another process may have added the profile a moment ago.
func findProfile(
	ctx context.Context, c *call, find func(string) (domain.Profile, bool), what string,
) (domain.Profile, bool, error) {
	p, ok := find(what)
	if ok {
		return p, true, nil
	}
	if err := c.CatchUp(ctx); err != nil {
		return p, false, err
	}
	p, ok = find(what)
	return p, ok, nil
}

// profileNames lists all profiles in alphabetical order.
func profileNames(c *call) []string {
	var names []string
	for _, p := range c.Profiles.All() {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

type listProfilesIn struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"At most this many items." example:"50"`
	Cursor string `query:"cursor" maxLength:"512" doc:"The next of an earlier page." example:"AAAAAAAAACkAAAAAAAAAGPt1z3mJ0mQk"`
	Order  string `query:"order" enum:"asc,desc" default:"asc" doc:"By name and version." example:"desc"`
}

// listProfiles goes by name and version, which never change.
func listProfiles(ctx context.Context, c *call, in *listProfilesIn) (*rest.Exact, error) {
	l, err := rest.NewWalk(c.Request, rest.ListQuery(*in))
	if err != nil {
		return nil, err
	}
	if err := c.CatchUp(ctx); err != nil {
		return nil, err
	}
	head, err := rest.Head(ctx, c.Request, domain.InstanceTenant)
	if err != nil {
		return nil, err
	}
	pinned, err := l.Reflected(head)
	if err != nil {
		return nil, err
	}
	rows := c.Profiles.All()
	slices.SortFunc(rows, func(a, b domain.Profile) int {
		if in.Order == "desc" {
			a, b = b, a
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	if after, ok := l.After(); ok {
		last := slices.IndexFunc(rows, func(p domain.Profile) bool { return string(placeOf(&p)) == string(after) })
		rows = rows[last+1:]
	}
	rows = slices.DeleteFunc(rows, func(p domain.Profile) bool {
		added, ok := c.Directory.Profile(p.Digest)
		return ok && added.Added.Sequence > pinned // since the walk began
	})
	return rest.RowsPage(l, pinned, rows, placeOf,
		func(b []byte, p *domain.Profile) ([]byte, error) { return showProfile(c, b, p) })
}

// placeOf is a profile's place in the list.
func placeOf(p *domain.Profile) []byte { return []byte(p.Name + "/" + strconv.Itoa(p.Version)) }

type getProfileIn struct {
	Name    string        `path:"name" maxLength:"64" doc:"As endpoints name it." example:"standard-webhooks"`
	Version rest.Opt[int] `query:"version" minimum:"1" doc:"The newest by default." example:"1"`
}

// profileAnswer is a wire format, written by hand.
type profileAnswer struct {
	Status      int
	ContentType string `header:"Content-Type"`
	Sequence    string `header:"Hooktrail-Sequence" doc:"The sequence of the instance's log that the answer reflects." example:"41"`
	Location    string `header:"Location" doc:"Where the profile is." example:"/v1/profiles/acme-hooks?version=1"`
	Replayed    string `header:"Idempotency-Replayed" doc:"true: this is the answer of an earlier request with the same Idempotency-Key." example:"true"`
	Body        []byte
}

// getProfile shows the newest version of a profile, or a certain one.
func getProfile(ctx context.Context, c *call, in *getProfileIn) (*rest.Exact, error) {
	if err := c.CatchUp(ctx); err != nil {
		return nil, err
	}
	p, ok := c.Profiles.Named(in.Name)
	if in.Version.Set {
		all := c.Profiles.All()
		i := slices.IndexFunc(all,
			func(p domain.Profile) bool { return p.Name == in.Name && p.Version == in.Version.Value })
		if ok = i >= 0; ok {
			p = all[i]
		}
	}
	if !ok {
		return nil, rest.NotFound()
	}
	n, err := rest.Head(ctx, c.Request, domain.InstanceTenant)
	if err != nil {
		return nil, err
	}
	body, err := showProfile(c, nil, &p)
	return &rest.Exact{ContentType: rest.JSON, Sequence: rest.SequenceText(n), Body: body}, err
}

type createProfileIn struct {
	rest.PostHeader
	rest.ReasonQuery
}

// documentProfile documents the document: what it may hold is more than a schema says.
func documentProfile(op *huma.Operation) {
	rest.ByHand(op)
	op.Description += "\n\n" + documentReference
	rest.Handwritten{
		Bodies:  map[string]rest.Media{rest.JSON: {Schema: anyObject, Example: json.RawMessage(exampleDocument)}},
		Answers: map[string]rest.Media{rest.JSON: {Schema: rest.SchemaOf[profileOut]}}, Status: []string{"200", "201"},
	}.SetOn(op)
}

// documentReference is what a profile's document may hold. Package webhook reads it, and its comment says the same.
const documentReference = `**Members**: ` + "`name`, `version`" + ` (a change needs a new one), ` + "`description`" + `;
` + "`transport`" + `, https or http_or_https; ` + "`content_type`" + `; ` + "`envelope`" + `, the body: any JSON, with fields in its strings;
` + "`headers`" + `, names and values with fields; ` + "`signature`" + ` with ` + "`header`, `content`" + ` (what is signed, with ${body} once),
` + "`encoding`" + ` (hex or base64), ` + "`algorithms`" + ` (hmac-sha256 and ed25519, each with what precedes its signatures) and
` + "`separator`" + ` where several fit; ` + "`key`" + ` with ` + "`format`" + ` (text or whsec) and ` + "`generated`; `auth`" + ` with ` + "`required`, `types`, `header`, `query`" + `;
` + "`success`" + `, statuses; ` + "`timeout`; `retry`" + `, default or a schedule as endpoints have it; ` + "`honours_retry_after`" + `, whether
Retry-After, 410, 429 and 503 count; ` + "`event_types`; `self_service`" + `.

**Fields** are written ${name}: id, producer_id, internal_id, webhook_id (without dots), sequence, tenant, source, type, subject,
schema_version, data_schema, occurred_at, endpoint_id, attempt, timestamp (of the attempt, in Unix seconds), data, data.NAME (a
member of the data as text) and extensions. A string that is one field becomes what the field is in JSON; ${sequence|string},
${data|array} and ${source|percent} change its form. A member or header whose name ends in ? is left out with an empty field.`

const exampleDocument = `{"name":"acme-hooks","version":1,"transport":"https","content_type":"application/json",` +
	`"envelope":{"event":"${type}","id":"${id}","at":"${occurred_at}","data":"${data}"},` +
	`"signature":{"header":"X-Acme-Signature","content":"${body}","encoding":"hex","algorithms":{"hmac-sha256":"sha256="}},` +
	`"key":{"format":"text","generated":true},"success":["2xx"],"retry":"default","honours_retry_after":true}`

func anyObject(*huma.OpenAPI) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true,
		Description: "A profile's document. Those that are built into the program are examples: GET /v1/profiles.",
	}
}

// createProfile adds a wire format to the instance, for all tenants.
func createProfile(ctx context.Context, c *call, in *createProfileIn) (*profileAnswer, error) {
	c.Tenant = domain.InstanceTenant
	if err := rest.CheckReason("query.reason", in.Reason); err != nil {
		return nil, err
	}
	if _, err := domain.SplitObject(c.Body); err != nil {
		return nil, rest.Ambiguous("body", err)
	}
	p, found, err := c.Profiles.Parse(c.Body)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return nil, rest.Refuse(http.StatusUnprocessableEntity, "invalid_profile",
			"The document isn't a profile. Nothing was appended.",
			rest.FaultsAt("body", found)...)
	}
	return rest.Once(ctx, c.Request, rest.Post[profileAnswer]{
		Decide: func(ctx context.Context) (domain.Group, error) { return decideProfile(ctx, c, p, in.Reason) },
		Idle: func(ctx context.Context) (*profileAnswer, error) {
			n, err := rest.Head(ctx, c.Request, c.Tenant)
			if err != nil {
				return nil, err
			}
			return answerProfile(c, p.Digest, http.StatusOK, n)
		},
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*profileAnswer, error) {
			fact, ok := entries[0].Fact.(*domain.ProfileAdded)
			if !ok {
				return nil, rest.Unreadable(entries[0])
			}
			if err := c.Await(ctx, entries[0].Position); err != nil {
				return nil, err
			}
			out, err := answerProfile(c, fact.Profile.Digest, http.StatusCreated, entries[0].Sequence)
			if err == nil && replayed {
				out.Replayed = "true"
			}
			return out, err
		},
	})
}

// decideProfile refuses a name or version that is taken. The same document again is nothing to do.
func decideProfile(ctx context.Context, c *call, p domain.Profile, reason string) (domain.Group, error) {
	if err := c.CatchUp(ctx); err != nil {
		return domain.Group{}, err
	}
	for _, have := range c.Profiles.All() {
		switch {
		case have.Digest == p.Digest:
			return domain.Group{}, nil
		case have.Name == p.Name && have.BuiltIn:
			return domain.Group{}, profileExists("name",
				"is the name of a built-in profile: choose another")
		case have.Name == p.Name && have.Version == p.Version:
			return domain.Group{}, profileExists("version",
				"is taken by another document of this name: a change needs a new version")
		}
	}
	return AddProfile(p, c.By(), reason), nil
}

func profileExists(member, message string) *rest.Problem {
	return rest.Refuse(http.StatusConflict, "profile_exists",
		"Name and version are another profile's. Nothing was appended.", rest.NewFault("body/"+member, message))
}

// AddProfile is the group that adds a wire format to the instance's log. Its claim is taken if another document was
// added under its name and version, or the same one before.
func AddProfile(p domain.Profile, by domain.Actor, reason string) domain.Group {
	return domain.Group{
		Drafts: []domain.Draft{{
			Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamProfile, ID: domain.NewUUID()},
			By: by, Reason: reason,
			Fact: &domain.ProfileAdded{
				Profile:  domain.ProfileName{Name: p.Name, Version: p.Version, Digest: p.Digest},
				Document: p.Document,
			},
		}},
		Claims: []domain.Claim{{
			Tenant: domain.InstanceTenant, Scope: "profile", Key: string(placeOf(&p)),
			Digest: sha256.Sum256(p.Document), Count: 1,
		}},
	}
}

// answerProfile shows a profile as this process uses it.
func answerProfile(c *call, digest string, status int, n domain.Sequence) (*profileAnswer, error) {
	all := c.Profiles.All()
	i := slices.IndexFunc(all, func(p domain.Profile) bool { return p.Digest == digest })
	if i < 0 {
		return nil, fmt.Errorf("profile %s was added and this program doesn't take it", digest)
	}
	body, err := showProfile(c, nil, &all[i])
	return &profileAnswer{
		Status: status, ContentType: rest.JSON, Sequence: rest.SequenceText(n), Body: body,
		Location: fmt.Sprintf("/v1/profiles/%s?version=%d", all[i].Name, all[i].Version),
	}, err
}
