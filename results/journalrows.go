package results

import "fmt"

// take adds a row of this run in memory. Only a row with an error may be replaced by a later attempt, which has another identity
// where the sample has a prompt now and had none.
func (j *Journal) take(r Row) error {
	if j.run.Name != "" && r.Run != j.run.Name {
		return fmt.Errorf("row %.12s (task %q, sample %q, variant %q) is of the run %.40q, not of this one, %q", r.ID, r.Task, r.Sample, r.Variant, r.Run, j.run.Name)
	}
	i, ok := j.at[r.ID]
	if ok && j.rows[i].Error == "" {
		return fmt.Errorf("row %.12s (task %q, sample %q, variant %q) is there twice", r.ID, r.Task, r.Sample, r.Variant)
	}
	place := r.Place()
	if !ok {
		i, ok = j.failed[place]
	}
	if ok {
		delete(j.at, j.rows[i].ID)
		delete(j.failed, j.rows[i].Place())
		j.rows[i] = r
	} else {
		i = len(j.rows)
		j.rows = append(j.rows, r)
	}
	j.at[r.ID] = i
	if r.Error != "" {
		if j.failed == nil {
			j.failed = map[Place]int{}
		}
		j.failed[place] = i
	}
	return nil
}
