package models

import (
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/weights"
)

// fused returns the rows of a role, (rows, cols), and where a family has them in one tensor with
// those of other roles, takes them out of it. read reads a tensor of so many rows.
func (c Config) fused(role Role, rows int, read func(rows int) (engine.Stored, error)) (engine.Stored, error) {
	if c.OutGate && (role == Query || role == QueryGate) {
		return c.headsOf(role, rows, read)
	}
	for _, roles := range families[c.Family].Fused {
		at := slices.Index(roles, role)
		if at < 0 {
			continue
		}
		before, all := 0, 0
		for i, r := range roles {
			if i < at {
				before += c.rowsOf(r)
			}
			all += c.rowsOf(r)
		}
		t, err := read(all)
		if err != nil {
			return nil, err
		}
		return weights.RowSlice(t, before, before+rows), nil
	}
	return read(rows)
}

// rowsOf is the number of rows of a role that may be fused with others.
func (c Config) rowsOf(role Role) int {
	switch role {
	case Query:
		return c.QueryWidth()
	case Key, Value:
		return c.KVWidth()
	default: // Gate, Up
		return c.FF
	}
}

// headsOf returns the queries, or the gates, of a tensor that has for each head its queries and then its gates.
func (c Config) headsOf(role Role, rows int, read func(rows int) (engine.Stored, error)) (engine.Stored, error) {
	t, err := read(2 * rows)
	if err != nil {
		return nil, err
	}
	var order []int
	for part := range 2 {
		for i := range rows {
			order = append(order, (2*(i/c.Heads.Size)+part)*c.Heads.Size+i%c.Heads.Size)
		}
	}
	all := weights.Permuted(t, order)
	if role == Query {
		return weights.RowSlice(all, 0, rows), nil
	}
	return weights.RowSlice(all, rows, 2*rows), nil
}
