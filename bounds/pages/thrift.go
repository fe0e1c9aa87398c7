package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What a list's element takes in memory, at most: the library makes the whole
// list before it reads the first element. A group of columns is a structure of
// some hundred bytes.
const (
	structBytes = 1 << 10
	valueBytes  = 32
)

// maxStructs bounds structures in one another; a footer has eight.
const maxStructs = 32

var errCut = errors.New("it ends too early")

// field is the place of a whole number in a structure: its own id, or the id of
// the structure it lies in and its own.
type field struct{ outer, inner int16 }

// structure reads one structure in thrift's compact protocol, as parquet files
// write their footer and their pages' headers, without making anything of it:
// every length in it is held against the bytes that are there.
type structure struct {
	b      []byte
	at     int
	cost   int64           // bytes that a reader of it allocates, at most
	fields map[field]int64 // whole numbers and truth values down to the second level
}

// readStructure reads the structure that b begins with. An error is errCut where
// more bytes could mend it.
func readStructure(b []byte) (*structure, error) {
	s := &structure{b: b, fields: map[field]int64{}}
	return s, s.read(0, 0)
}

func (s *structure) take(n uint64) error {
	if n > uint64(len(s.b)-s.at) {
		return errCut
	}
	s.at += int(n)
	return nil
}

func (s *structure) byte() (byte, error) {
	if err := s.take(1); err != nil {
		return 0, err
	}
	return s.b[s.at-1], nil
}

func (s *structure) uvarint() (uint64, error) {
	v, n := binary.Uvarint(s.b[s.at:])
	switch {
	case n == 0:
		return 0, errCut
	case n < 0:
		return 0, errors.New("a number of more than 64 bits")
	}
	s.at += n
	return v, nil
}

func (s *structure) varint() (int64, error) {
	v, err := s.uvarint()
	return int64(v>>1) ^ -int64(v&1), err
}

// The types of the compact protocol.
const (
	typeTrue = 1 + iota
	typeFalse
	typeByte
	typeInt16
	typeInt32
	typeInt64
	typeDouble
	typeBinary
	typeList
	typeSet
	typeMap
	typeStruct
)

// read reads a structure's fields up to its end.
func (s *structure) read(depth int, outer int16) error {
	if depth > maxStructs {
		return fmt.Errorf("structures more than %d deep", maxStructs)
	}
	for last := int16(0); ; {
		head, err := s.byte()
		if err != nil || head == 0 {
			return err
		}
		id := int64(last) + int64(head>>4)
		if head>>4 == 0 {
			if id, err = s.varint(); err != nil {
				return err
			}
		}
		if id <= int64(last) || id > 1<<15-1 {
			return fmt.Errorf("field %d after field %d", id, last)
		}
		last = int16(id)
		v, err := s.value(head&0xf, depth, last)
		if err != nil {
			return err
		}
		switch depth {
		case 0:
			s.fields[field{0, last}] = v
		case 1:
			s.fields[field{outer, last}] = v
		}
	}
}

// value reads a value and returns it where it is a whole number or a truth value.
func (s *structure) value(kind byte, depth int, id int16) (int64, error) {
	switch kind {
	case typeTrue:
		return 1, nil
	case typeFalse:
		return 0, nil
	case typeByte:
		b, err := s.byte()
		return int64(int8(b)), err
	case typeInt16, typeInt32, typeInt64:
		return s.varint()
	case typeDouble:
		return 0, s.take(8)
	case typeBinary:
		n, err := s.uvarint()
		if err != nil {
			return 0, err
		}
		s.cost += int64(min(n, uint64(len(s.b))))
		return 0, s.take(n)
	case typeList, typeSet:
		return 0, s.list(depth)
	case typeMap:
		return 0, errors.New("a map, which parquet has none of")
	case typeStruct:
		return 0, s.read(depth+1, id)
	}
	return 0, fmt.Errorf("a field of type %d", kind)
}

func (s *structure) list(depth int) error {
	if depth > maxStructs {
		return fmt.Errorf("lists more than %d deep", maxStructs)
	}
	head, err := s.byte()
	if err != nil {
		return err
	}
	n, kind := uint64(head>>4), head&0xf
	if n == 15 {
		if n, err = s.uvarint(); err != nil {
			return err
		}
	}
	if n > uint64(len(s.b)-s.at) { // an element has a byte at least
		return errCut
	}
	each := int64(valueBytes)
	if kind == typeStruct {
		each = structBytes
	}
	s.cost += int64(n) * each
	for range n {
		if kind == typeTrue || kind == typeFalse { // in a list a byte each
			_, err = s.byte()
		} else {
			_, err = s.value(kind, depth+1, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
