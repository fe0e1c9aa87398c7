package emulator

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Limits of a launch.
const (
	maxThreads = 1024
	maxShared  = 227 << 10
	// quantum is how many instructions a warp runs before the next, and turn before the
	// next block of the residency window.
	quantum = 512
	turn    = 16 << 10
)

// Budgets of warp instructions; variables for tests.
var (
	stallBudget = 32 << 20 // without a write, a barrier or an exit anywhere
	totalBudget = 64 << 20 // for each warp of the grid
)

type launch struct {
	kernel     *Kernel
	memory     Memory
	grid, size [3]int
	cluster    [3]int // blocks
	threads    int
	sharedSize int
	parameters []uint64 // bytes
	changes    uint64   // counts events that others may wait for
	clock      uint64   // instructions so far
	multicasts uint     // copies to blocks of a mask
}

// block is a block on the machine.
type block struct {
	launch   *launch
	cluster  *cluster
	rank     int // in the cluster
	exited   bool
	slot     int
	at       [3]int
	shared   []uint64 // bytes
	warps    []*warp
	barriers [16]barrier
	bulk     []bulk
	groups   []warpgroup

	registers int // per thread of a warp, that its warps have given back
}

// position is the index of a thread of the block in its three dimensions.
func (b *block) position(thread int) (x, y, z int) {
	s := b.launch.size
	return thread % s[0], thread / s[0] % s[1], thread / s[0] / s[1]
}

// Launch runs a grid to its end. arguments[i] has Parameters()[i] bytes. Blocks see
// each other's global memory writes and atomics; a grid of up to resident blocks
// makes progress together (a block may spin on what another writes).
//
// Errors name the line and text of the instruction, the block and the thread. The
// kernel's writes until then have happened.
func (k *Kernel) Launch(memory Memory, grid, block [3]int, shared int, arguments [][]byte, resident int) error {
	return k.LaunchClusters(memory, grid, block, [3]int{1, 1, 1}, shared, arguments, resident)
}

// LaunchClusters is Launch of a grid that is divided into clusters. A cluster's blocks are all
// resident or none is; at least one cluster is.
func (k *Kernel) LaunchClusters(memory Memory, grid, block, cluster [3]int, shared int, arguments [][]byte, resident int) error {
	l, err := k.launch(memory, grid, block, shared, arguments)
	if err == nil {
		l.cluster, err = cluster, checkCluster(grid, cluster)
	}
	if err != nil {
		return fmt.Errorf("kernel %s: %w", k.name, err)
	}
	if resident < 1 {
		return fmt.Errorf("kernel %s: %d resident blocks", k.name, resident)
	}
	return l.run(resident)
}

func (k *Kernel) launch(memory Memory, grid, size [3]int, shared int, arguments [][]byte) (*launch, error) {
	l := &launch{kernel: k, memory: memory, grid: grid, size: size, cluster: [3]int{1, 1, 1}, threads: 1}
	for i := range 3 {
		limit := 65535
		if i == 0 {
			limit = 1<<31 - 1
		}
		if grid[i] < 1 || grid[i] > limit {
			return nil, fmt.Errorf("a grid of %v blocks", grid)
		}
		if size[i] < 1 || size[i] > maxThreads {
			return nil, fmt.Errorf("blocks of %v threads", size)
		}
		l.threads *= size[i]
	}
	if l.grid[1]*l.grid[2] > 1<<31/l.grid[0] {
		return nil, fmt.Errorf("a grid of %v blocks", grid)
	}
	limit := maxThreads
	if k.maxThreads > 0 {
		limit = k.maxThreads
	}
	if l.threads > limit {
		return nil, fmt.Errorf("blocks of %v threads; it allows %d", size, limit)
	}
	if shared < 0 || k.dynamic+shared > maxShared {
		return nil, fmt.Errorf("%d bytes of static and %d of dynamic shared memory; there are %d", k.dynamic, shared, maxShared)
	}
	l.sharedSize = k.shared
	if shared > 0 {
		l.sharedSize = k.dynamic + shared
	}
	if len(arguments) != len(k.parameters) {
		return nil, fmt.Errorf("%d arguments for %d parameters", len(arguments), len(k.parameters))
	}
	bytes := make([]byte, (k.parameterBytes+7)/8*8)
	for i, p := range k.parameters {
		if len(arguments[i]) != p.bytes {
			return nil, fmt.Errorf("argument %d has %d bytes, its parameter %d", i, len(arguments[i]), p.bytes)
		}
		copy(bytes[p.offset:], arguments[i])
	}
	for ; len(bytes) > 0; bytes = bytes[8:] {
		l.parameters = append(l.parameters, binary.LittleEndian.Uint64(bytes))
	}
	return l, nil
}

// garbage is what shared memory holds until it is written: a large negative number
// in every type of floats.
const garbage = 0xCBCBCBCBCBCBCBCB

// start puts a block on the machine, in the place of one that has exited.
func (l *launch) start(at [3]int, slot int, b *block) *block {
	k := l.kernel
	if b == nil { // a place from an earlier launch, if there is one
		b, _ = k.rooms.Get().(*block)
	}
	if b == nil || len(b.warps) != (l.threads+lanes-1)/lanes {
		b = &block{}
		for n := range (l.threads + lanes - 1) / lanes {
			w := &warp{block: b, index: n,
				p:     make([]uint32, k.registers[predicates]),
				r:     make([][lanes]uint32, k.registers[words]+len(k.constants32)),
				q:     make([][lanes]uint64, k.registers[longs]+len(k.constants64)),
				local: make([]uint64, lanes*((k.local+7)/8)),
			}
			for c, v := range k.constants32 {
				for lane := range lanes {
					w.r[k.registers[words]+c][lane] = v
				}
			}
			for c, v := range k.constants64 {
				for lane := range lanes {
					w.q[k.registers[longs]+c][lane] = v
				}
			}
			b.warps = append(b.warps, w)
		}
	}
	words := (l.sharedSize + 7) / 8
	if cap(b.shared) < words {
		b.shared = make([]uint64, words)
	}
	b.shared = b.shared[:words]
	b.launch, b.at, b.slot, b.exited = l, at, slot, false
	for i := range b.shared {
		b.shared[i] = garbage
	}
	b.barriers = [16]barrier{}
	b.bulk = b.bulk[:0]
	b.groups = nil
	b.registers = 0
	registers := l.perThread()
	for n, w := range b.warps {
		w.live = all
		if left := l.threads - n*lanes; left < lanes {
			w.live = 1<<left - 1
		}
		w.others = append(w.others[:0], fragment{0, w.live, false})
		w.waits, w.yielded, w.turn = -1, false, 0
		w.arrived, w.awaited = 0, 0
		w.registers = registers
		w.copies, w.multiplying = [lanes]copies{}, multiplying{}
	}
	l.changes++
	return b
}

func (l *launch) run(resident int) error {
	n, blocks := l.clusters(), l.cluster[0]*l.cluster[1]*l.cluster[2]
	total, rooms := n[0]*n[1]*n[2], max(1, resident/blocks) // of clusters
	var window, free []*block
	started, here, since, last := 0, 0, uint64(0), uint64(0)
	budget := uint64(totalBudget) * uint64(total*blocks) * uint64((l.threads+lanes-1)/lanes)
	for started < total || len(window) > 0 {
		if started < total && here < rooms {
			window = append(window, l.gather(started, started%rooms, &free).blocks...)
			started++
			here++
		}
		running := false
		left := window[:0]
		for _, b := range window {
			ran, done, err := b.run()
			if err != nil {
				return err
			}
			running = running || ran > 0
			l.clock += uint64(ran)
			if !done {
				left = append(left, b)
				continue
			}
			if err := b.leave(); err != nil {
				return err
			}
			running = true
			if b.cluster.left == 0 {
				free = append(free, b.cluster.blocks...)
				here--
			}
		}
		window = left
		if l.changes != last {
			last, since = l.changes, l.clock
		}
		if !running && (started == total || here >= rooms) {
			return l.deadlock(window, "every warp waits")
		}
		if l.clock-since > uint64(stallBudget) {
			return l.deadlock(window, fmt.Sprintf("nothing has changed for %d instructions", l.clock-since))
		}
		if l.clock > budget {
			return l.deadlock(window, fmt.Sprintf("no end after %d instructions", l.clock))
		}
	}
	for _, b := range free {
		b.launch, b.cluster = nil, nil
		l.kernel.rooms.Put(b)
	}
	return nil
}

// deadlock says where the warps are.
func (l *launch) deadlock(window []*block, why string) error {
	var at []string
	for _, b := range window {
		for _, w := range b.warps {
			if w.live == 0 {
				continue
			}
			for _, f := range w.others {
				pc := f.pc
				if (w.waits >= 0 || w.yielded) && l.kernel.code[pc].flow != awaiting {
					pc--
				}
				i := &l.kernel.code[max(pc, 0)]
				at = append(at, fmt.Sprintf("block (%d,%d,%d) warp %d lanes %#x at line %d, %q", b.at[0], b.at[1], b.at[2], w.index, f.mask, i.line, i.text))
			}
		}
	}
	const most = 8
	if len(at) > most {
		at = append(at[:most], fmt.Sprintf("and %d more", len(at)-most))
	}
	return fmt.Errorf("kernel %s: deadlock: %s: %s", l.kernel.name, why, strings.Join(at, "; "))
}

// run gives the block's warps their turns.
func (b *block) run() (ran int, done bool, err error) {
	for ran < turn {
		before, waiting := ran, true
		done = true
		for _, w := range b.warps {
			if w.live == 0 {
				continue
			}
			done = false
			if w.waits >= 0 {
				continue
			}
			w.yielded = false
			ran += w.run(quantum)
			if w.fault != nil {
				return ran, false, w.fault
			}
			waiting = waiting && w.yielded
		}
		if done || waiting || ran == before {
			break
		}
	}
	return ran, done, nil
}
