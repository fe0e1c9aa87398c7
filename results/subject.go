package results

import (
	"strings"
)

// Subject is what the rows of one table have in common.
type Subject struct{ Model, Revision, Rope, Protocol, Device, DType string }

// Subject returns the row's subject. Its device is a kind, "cuda" for "cuda:1", so that samples that were spread over
// cards share a table. For a server the revision is empty, because a table may compare several engines.
func (r *Row) Subject() Subject {
	s := Subject{r.Model, r.Revision, r.Rope, r.Protocol, r.deviceKind(), r.DType}
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
	if s.Rope != "" {
		parts = append(parts, "rope "+s.Rope)
	}
	if s.Protocol != "" {
		parts = append(parts, "protocol "+s.Protocol)
	}
	return strings.Join(append(parts, s.Device+" "+s.DType), ", ")
}

// Subjects splits rows by subject. Subjects are in the order of their first rows.
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
