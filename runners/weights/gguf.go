package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

const ggufMagic = "GGUF"

// defaultAlignment is the format's alignment if general.alignment is absent.
const defaultAlignment = 32

// OpenGGUF opens a GGUF file of version 2 or 3, little-endian and not split.
func OpenGGUF(path string) (*File, error) {
	m, err := openMapping(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, mappings: []*mapping{m}}
	tensors, metadata, err := parseGGUF(path, m.data)
	if err == nil {
		f.metadata = metadata
		err = f.add(tensors)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// parseGGUF reads a file: magic, version, counts, key-value pairs, the
// tensors' names, dimensions, types and offsets, then, aligned, the data.
func parseGGUF(path string, data []byte) ([]*Tensor, Metadata, error) {
	r := ggufReader{data: data}
	tensors, metadata, err := r.file(path)
	if err != nil {
		return nil, Metadata{}, fmt.Errorf("%s: byte %d: %w", path, r.at, err)
	}
	return tensors, metadata, nil
}

// ggufReader reads a file from start to end. at is the current byte; before an
// error it is set to the byte that the message should name.
type ggufReader struct {
	data []byte
	at   uint64
}

func (r *ggufReader) file(path string) ([]*Tensor, Metadata, error) {
	metadata := newMetadata(path)
	fail := func(err error) ([]*Tensor, Metadata, error) { return nil, Metadata{}, err }
	magic, err := r.take(4)
	if err != nil || string(magic) != ggufMagic {
		r.at = 0
		return fail(fmt.Errorf("does not start with %s: not a GGUF file", ggufMagic))
	}
	version, err := r.uint32()
	if err != nil {
		return fail(err)
	}
	if version != 2 && version != 3 {
		r.at = 4
		if v := bits.ReverseBytes32(version); v >= 1 && v <= 3 {
			return fail(fmt.Errorf("big-endian GGUF (version %d): only little-endian files are supported", v))
		}
		return fail(fmt.Errorf("GGUF version %d: have 2, 3", version))
	}
	tensorCount, err := r.uint64()
	if err != nil {
		return fail(err)
	}
	pairCount, err := r.uint64()
	if err != nil {
		return fail(err)
	}

	for i := range pairCount {
		start := r.at
		key, err := r.string()
		if err != nil {
			return fail(fmt.Errorf("metadata pair %d of %d: key: %w", i+1, pairCount, err))
		}
		if metadata.Has(key) {
			r.at = start
			return fail(fmt.Errorf("metadata key %.80q twice", key))
		}
		typ, err := r.uint32()
		if err != nil {
			return fail(fmt.Errorf("metadata key %.80q: %w", key, err))
		}
		v, err := r.value(typ, 0)
		if err != nil {
			return fail(fmt.Errorf("metadata key %.80q: %w", key, err))
		}
		metadata.set(key, v)
	}
	if n, err := metadata.Uint("split.count"); err == nil && n > 1 {
		return fail(fmt.Errorf("this is one of %d files of a split model: merge them first", n))
	}
	alignment := uint64(defaultAlignment)
	if metadata.Has("general.alignment") {
		if alignment, err = metadata.Uint("general.alignment"); err != nil {
			return fail(err)
		}
		if alignment == 0 || alignment&(alignment-1) != 0 || alignment > 1<<20 {
			return fail(fmt.Errorf("general.alignment %d is not a power of two up to 1 MiB", alignment))
		}
	}

	// An entry takes at least 24 bytes, so a count that is too large for the
	// file is found before anything is allocated for it.
	if tensorCount > uint64(len(r.data))/24 {
		r.at = 8
		return fail(fmt.Errorf("%d tensors in a file of %d bytes", tensorCount, len(r.data)))
	}
	type info struct {
		name   string
		layout layout
		shape  []uint64
		offset uint64 // from the start of the data
		size   uint64
		entry  uint64 // offset of this entry in the file
	}
	infos := make([]info, 0, min(tensorCount, 1<<16))
	seen := make(map[string]bool)
	for i := range tensorCount {
		t := info{entry: r.at}
		if t.name, err = r.string(); err != nil {
			return fail(fmt.Errorf("tensor %d of %d: name: %w", i+1, tensorCount, err))
		}
		if seen[t.name] {
			r.at = t.entry
			return fail(fmt.Errorf("tensor %.80q twice", t.name))
		}
		seen[t.name] = true
		dims, err := r.uint32()
		if err != nil {
			return fail(fmt.Errorf("tensor %.80q: %w", t.name, err))
		}
		if dims > maxDims {
			r.at -= 4
			return fail(fmt.Errorf("tensor %.80q has %d dimensions", t.name, dims))
		}
		t.shape = make([]uint64, dims)
		for d := range t.shape {
			if t.shape[d], err = r.uint64(); err != nil {
				return fail(fmt.Errorf("tensor %.80q: dimensions: %w", t.name, err))
			}
		}
		slices.Reverse(t.shape) // the file has the fastest dimension first
		typ, err := r.uint32()
		if err != nil {
			return fail(fmt.Errorf("tensor %.80q: type: %w", t.name, err))
		}
		l, ok := ggufTypes[typ]
		if !ok {
			r.at -= 4
			return fail(fmt.Errorf("tensor %.80q: unknown type %d: weights are read from %s", t.name, typ, weightTypes()))
		}
		t.layout = l
		if t.offset, err = r.uint64(); err != nil {
			return fail(fmt.Errorf("tensor %.80q: offset: %w", t.name, err))
		}
		if t.offset%alignment != 0 {
			r.at -= 8
			return fail(fmt.Errorf("tensor %.80q: offset %d is not a multiple of the alignment %d", t.name, t.offset, alignment))
		}
		if t.size, err = byteSize(l, t.shape); err != nil {
			r.at = t.entry
			return fail(fmt.Errorf("tensor %.80q: %w", t.name, err))
		}
		infos = append(infos, t)
	}

	// A file without tensors (a vocabulary) may end without padding.
	base := min((r.at+alignment-1)&^(alignment-1), uint64(len(r.data)))
	body := r.data[base:]
	tensors := make([]*Tensor, len(infos))
	for i, t := range infos {
		if t.offset > uint64(len(body)) || t.size > uint64(len(body))-t.offset {
			r.at = t.entry
			return fail(fmt.Errorf("tensor %.80q: %d bytes at offset %d do not lie in the file's %d bytes of data: cut short?",
				t.name, t.size, t.offset, len(body)))
		}
		end := t.offset + t.size
		tensors[i] = newTensor(path, t.name, t.layout, t.shape, body[t.offset:end:end], base+t.offset)
	}
	byOffset := slices.Clone(tensors)
	slices.SortStableFunc(byOffset, compareOffsets)
	for i := 1; i < len(byOffset); i++ {
		a, b := byOffset[i-1], byOffset[i]
		end := a.offset + uint64(len(a.data))
		if padded := base + (end-base+alignment-1)&^(alignment-1); b.offset > padded {
			// No program writes holes, so a type or a shape must be wrong.
			r.at = padded
			return fail(fmt.Errorf("%d bytes between tensor %.80q, %s of shape %v, and tensor %.80q belong to no tensor",
				b.offset-padded, a.name, a.layout.name, a.Shape(), b.name))
		}
		if end > b.offset {
			r.at = b.offset
			return fail(fmt.Errorf("tensor %.80q starts here, inside of tensor %.80q (bytes %d to %d)",
				b.name, a.name, a.offset, end))
		}
	}
	return tensors, metadata, nil
}

// take returns the next n bytes.
func (r *ggufReader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.data))-r.at {
		return nil, fmt.Errorf("%d bytes expected, %d left: cut short?", n, uint64(len(r.data))-r.at)
	}
	b := r.data[r.at : r.at+n]
	r.at += n
	return b, nil
}

func (r *ggufReader) uint32() (uint32, error) {
	b, err := r.take(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (r *ggufReader) uint64() (uint64, error) {
	b, err := r.take(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// string returns a copy, so that names and tokens outlive the mapping.
func (r *ggufReader) string() (string, error) {
	n, err := r.uint64()
	if err != nil {
		return "", err
	}
	b, err := r.take(n)
	if err != nil {
		r.at -= 8
		return "", fmt.Errorf("string: %w", err)
	}
	return string(b), nil
}

// The value types of GGUF metadata.
const (
	ggufUint8 uint32 = iota
	ggufInt8
	ggufUint16
	ggufInt16
	ggufUint32
	ggufInt32
	ggufFloat32
	ggufBool
	ggufString
	ggufArray
	ggufUint64
	ggufInt64
	ggufFloat64
)

// maxNesting is the depth up to which arrays may nest. Known files nest none.
const maxNesting = 4

func (r *ggufReader) value(typ uint32, depth int) (any, error) {
	switch typ {
	case ggufString:
		return r.string()
	case ggufArray:
		return r.array(depth)
	}
	size, err := scalarSize(typ)
	if err != nil {
		r.at -= 4
		return nil, err
	}
	b, err := r.take(size)
	if err != nil {
		return nil, err
	}
	switch typ {
	case ggufUint8:
		return b[0], nil
	case ggufInt8:
		return int8(b[0]), nil
	case ggufUint16:
		return binary.LittleEndian.Uint16(b), nil
	case ggufInt16:
		return int16(binary.LittleEndian.Uint16(b)), nil
	case ggufUint32:
		return binary.LittleEndian.Uint32(b), nil
	case ggufInt32:
		return int32(binary.LittleEndian.Uint32(b)), nil
	case ggufFloat32:
		return math.Float32frombits(binary.LittleEndian.Uint32(b)), nil
	case ggufUint64:
		return binary.LittleEndian.Uint64(b), nil
	case ggufInt64:
		return int64(binary.LittleEndian.Uint64(b)), nil
	case ggufFloat64:
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
	}
	// ggufBool
	if b[0] > 1 {
		r.at--
		return nil, fmt.Errorf("%d is neither true (1) nor false (0)", b[0])
	}
	return b[0] == 1, nil
}

func scalarSize(typ uint32) (uint64, error) {
	switch typ {
	case ggufUint8, ggufInt8, ggufBool:
		return 1, nil
	case ggufUint16, ggufInt16:
		return 2, nil
	case ggufUint32, ggufInt32, ggufFloat32:
		return 4, nil
	case ggufUint64, ggufInt64, ggufFloat64:
		return 8, nil
	}
	return 0, fmt.Errorf("unknown value type %d: the format has 0 to 12", typ)
}

func (r *ggufReader) array(depth int) (any, error) {
	if depth == maxNesting {
		return nil, errors.New("arrays nested too deep")
	}
	typ, err := r.uint32()
	if err != nil {
		return nil, err
	}
	n, err := r.uint64()
	if err != nil {
		return nil, err
	}
	// Every element takes at least this many bytes, so n can be compared with the
	// file's size before anything is allocated.
	least := uint64(8)
	switch typ {
	case ggufString:
	case ggufArray:
		least = 12
	default:
		if least, err = scalarSize(typ); err != nil {
			r.at -= 12
			return nil, err
		}
	}
	if left := uint64(len(r.data)) - r.at; n > left/least {
		r.at -= 8
		return nil, fmt.Errorf("array of %d elements with %d bytes left: cut short?", n, left)
	}
	switch typ {
	case ggufUint8:
		return collect[uint8](r, typ, n)
	case ggufInt8:
		return collect[int8](r, typ, n)
	case ggufUint16:
		return collect[uint16](r, typ, n)
	case ggufInt16:
		return collect[int16](r, typ, n)
	case ggufUint32:
		return collect[uint32](r, typ, n)
	case ggufInt32:
		return collect[int32](r, typ, n)
	case ggufFloat32:
		return collect[float32](r, typ, n)
	case ggufBool:
		return collect[bool](r, typ, n)
	case ggufString:
		return collect[string](r, typ, n)
	case ggufUint64:
		return collect[uint64](r, typ, n)
	case ggufInt64:
		return collect[int64](r, typ, n)
	case ggufFloat64:
		return collect[float64](r, typ, n)
	}
	out := make([]any, n)
	for i := range out {
		if out[i], err = r.array(depth + 1); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return out, nil
}

func collect[T any](r *ggufReader, typ uint32, n uint64) ([]T, error) {
	out := make([]T, n)
	for i := range out {
		v, err := r.value(typ, 0)
		if err != nil {
			return nil, fmt.Errorf("element %d of %d: %w", i, n, err)
		}
		out[i] = v.(T)
	}
	return out, nil
}
