package openapi

import (
	"fmt"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// schemaNames are what rows of exports are called in the document.
var schemaNames = map[domain.ExportWhat]string{
	domain.ExportDeliveries: "Delivery", domain.ExportEvents: "Event", domain.ExportConfiguration: "Change",
	domain.ExportLog: "Entry",
}

// exportsIntroduction begins the page about exports.
const exportsIntroduction = `# Exports

An export is a file of a tenant's history: ` + "`POST /v1/tenants/{tenant}/exports`" + ` asks for it, ` + "`GET …/exports/{id}`" + ` is its manifest, and
` + "`GET …/exports/{id}/content`" + ` the file. ` + "`hooktrail export`" + ` does all three from a command line.

- **As of a sequence.** An export reflects the tenant's log as it was when it was asked for; the manifest says which sequence that
  is. The same query of the same sequence makes the same file, byte for byte, until something in it is erased: the manifest counts
  such rows and names their entries. (A newer version of the server may cut compressed and Parquet files elsewhere.)
- **Order.** Rows come in the order of the log; deliveries in that of their creation, each with its attempts by number.
- **Nulls.** Every column may be null: ` + "`null`" + ` in NDJSON and Parquet, an empty cell in CSV.
- **Kept for a while.** Files are deleted after ` + "`keep_hours`" + ` (7 days unless the operator chose otherwise), or by DELETE. Every
  request for a file is an entry of the tenant's log.

## Formats

| format | what it is |
|---|---|
| ` + "`ndjson`" + ` | One JSON object a line, in UTF-8, every column in each. JSON columns are as the log has them; line breaks between their tokens become spaces. |
| ` + "`csv`" + ` | RFC 4180: CRLF, a line of names first, UTF-8 without a byte order mark. Texts that a spreadsheet could run (beginning with ` + "`=` `+` `-` `@`" + `, their full-width forms, tab, carriage return or line feed) have an apostrophe in front: take it off when you read such cells by program. JSON columns hold JSON text, and are treated alike. |
| ` + "`parquet`" + ` | Apache Parquet, compressed with Zstandard, row groups of at most 50,000 rows. Times are TIMESTAMP(MICROS, UTC); UUIDs and JSON are texts. |
| ` + "`html`" + ` | A report of deliveries for people, which prints. It has no columns to choose. |

With ` + "`\"compression\":\"zstd\"`" + `, NDJSON and CSV are Zstandard frames one after the other (RFC 8878), which every decoder takes as one.

Access records and evidence bundles can't be exported yet.

## Types

| type | NDJSON | CSV | Parquet |
|---|---|---|---|
| text | string | text | BYTE_ARRAY, STRING |
| uuid | string | text | BYTE_ARRAY, STRING |
| integer | number | digits | INT64 |
| boolean | true, false | true, false | BOOLEAN |
| timestamp | RFC 3339, UTC, at most microseconds | the same | INT64, TIMESTAMP(MICROS, UTC) |
| json | the value itself | JSON text | BYTE_ARRAY, JSON |
`

// ExportsPage is the page /docs/exports.md, made from the table of columns.
func ExportsPage() string {
	var b strings.Builder
	b.WriteString(exportsIntroduction)
	for _, what := range domain.ExportWhats() {
		fmt.Fprintf(&b, "\n## Columns of %s\n\n| column | type | unit | |\n|---|---|---|---|\n", what)
		for _, c := range domain.ExportColumns(what) {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.Name, c.Type, c.Unit, strings.ReplaceAll(c.Doc, "|", `\|`))
		}
	}
	return b.String()
}
