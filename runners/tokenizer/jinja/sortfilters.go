package jinja

import (
	"slices"
	"strings"
)

// sorted sorts items by their keys like Python's sorted: it is stable, and reverse
// keeps the order of equal items.
func (r *run) sorted(items []Value, reverse bool, key func(Value) (Value, error)) error {
	type keyed struct{ key, item Value }
	all := make([]keyed, len(items))
	if err := r.take(2 * itemBytes * len(items)); err != nil {
		return err
	}
	for i, v := range items {
		k, err := key(v)
		if err != nil {
			return err
		}
		all[i] = keyed{k, v}
	}
	var failed error
	slices.SortStableFunc(all, func(a, b keyed) int {
		if failed != nil {
			return 0
		}
		less, err := r.order("<", a.key, b.key)
		more := false
		if err == nil && !less {
			more, err = r.order("<", b.key, a.key)
		}
		if err != nil {
			failed = err
		}
		switch {
		case less != reverse && (less || more):
			return -1
		case less || more:
			return 1
		}
		return 0
	})
	for i, k := range all {
		items[i] = k.item
	}
	return failed
}

func sortFilter(r *run, a []Value) (Value, error) {
	items, err := r.collect(a[0])
	if err != nil {
		return nil, err
	}
	fold := !given(a[2])
	var getters []func(Value) (Value, error)
	if s, ok := textOf(a[3]); ok {
		for _, part := range strings.Split(s, ",") {
			getters = append(getters, r.getter(part, nil, fold))
		}
	} else {
		getters = append(getters, r.getter(a[3], nil, fold))
	}
	err = r.sorted(items, given(a[1]), func(v Value) (Value, error) {
		keys := &listValue{}
		for _, get := range getters {
			k, err := get(v)
			if err != nil {
				return nil, err
			}
			keys.items = append(keys.items, k)
		}
		return keys, r.take(valueBytes)
	})
	return &listValue{items}, err
}

func dictsortFilter(r *run, a []Value) (Value, error) {
	at := 0
	if a[2] != nil {
		switch by, _ := textOf(a[2]); by {
		case "key":
		case "value":
			at = 1
		default:
			return nil, fail("FilterArgumentError", `You can only sort by either "key" or "value"`)
		}
	}
	d, ok := a[0].(*dictValue)
	if !ok {
		return nil, noItems(a[0])
	}
	items, err := r.collect(&view{"dict_items", d})
	if err != nil {
		return nil, err
	}
	fold := r.getter(nil, nil, !given(a[1]))
	err = r.sorted(items, given(a[3]), func(v Value) (Value, error) { return fold(v.(*tupleValue).items[at]) })
	return &listValue{items}, err
}

func groupbyFilter(r *run, a []Value) (Value, error) {
	items, err := r.collect(a[0])
	if err != nil {
		return nil, err
	}
	fold := !given(a[3])
	get := r.getter(a[1], a[2], fold)
	if err := r.sorted(items, false, get); err != nil {
		return nil, err
	}
	groups := &listValue{}
	var last Value
	for _, v := range items {
		key, err := get(v)
		if err != nil {
			return nil, err
		}
		if last != nil {
			same, err := r.same(last, key)
			if err != nil {
				return nil, err
			}
			if same {
				group := groups.items[len(groups.items)-1].(*tupleValue).items[1].(*listValue)
				group.items = append(group.items, v)
				continue
			}
		}
		last = key
		if fold {
			if key, err = r.getter(a[1], a[2], false)(v); err != nil {
				return nil, err
			}
		}
		groups.items = append(groups.items, &tupleValue{[]Value{key, &listValue{[]Value{v}}}, true})
		if err := r.take(3 * valueBytes); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// noItems is Python's error for a value that is not a dictionary.
func noItems(v Value) error {
	if u, ok := v.(*undefined); ok {
		return u.fail()
	}
	return fail("AttributeError", "'%s' object has no attribute 'items'", typeName(v))
}
