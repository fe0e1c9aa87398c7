package results

import (
	"strings"
)

// Subject is what rows of one table have in common.
type Subject struct{ Model, Revision, Protocol, Device, DType string }

// Subject is what the row is about. Its device is a kind, "cuda" for "cuda:1": samples that were spread over cards
// share a table. A server's revision is its engine's, of which a table may compare several.
func (r *Row) Subject() Subject {
	s := Subject{r.Model, r.Revision, r.Protocol, r.deviceKind(), r.DType}
	if s.Device == "server" {
		s.Revision = ""
	}
	return s
}

func (s Subject) String() string {
	parts := []string{s.Model}
	if s.Revision != "" {
		rev := strings.TrimPrefix(s.Revision, "sha256:")
		if len(rev) > 12 {
			rev = rev[:12]
		}
		parts[0] += "@" + rev
	}
	if s.Protocol != "" {
		parts = append(parts, "protocol "+s.Protocol)
	}
	return strings.Join(append(parts, s.Device+" "+s.DType), ", ")
}

// Subjects splits rows by model, protocol, device and number format, in the order of their first row.
func Subjects(rows []Row) (list []Subject, parts [][]Row) {
	at := map[Subject]int{}
	for i := range rows {
		s := rows[i].Subject()
		k, ok := at[s]
		if !ok {
			k = len(list)
			at[s] = k
			list, parts = append(list, s), append(parts, nil)
		}
		parts[k] = append(parts[k], rows[i])
	}
	return list, parts
}
