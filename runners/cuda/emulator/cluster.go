package emulator

import (
	"fmt"
	"math/bits"
	"strings"
)

// Blocks of a cluster see each other's shared memory. The upper bits of a shared::cluster
// address are the block's rank plus one; the lower ones are the address that the block
// itself has for the place. Upper bits of 0 mean the block that uses the address, so that a
// block's own shared::cta addresses are valid, too. They are valid for it alone: an address
// that a block passes to another without mapa means the other's own memory, as on a card.
const rankShift = 24

// maxCluster is the largest cluster, in blocks, that every card supports.
const maxCluster = 8

// cluster is a set of blocks that are on the machine together; every block is in one.
type cluster struct {
	at     [3]int // among the clusters of the grid
	blocks []*block
	left   int // those that have not exited
}

// checkCluster says why a grid cannot be divided into clusters.
func checkCluster(grid, size [3]int) error {
	for i := range 3 {
		if size[i] < 1 || size[i] > maxCluster || grid[i]%size[i] != 0 {
			return fmt.Errorf("a grid of %v blocks in clusters of %v", grid, size)
		}
	}
	if n := size[0] * size[1] * size[2]; n > maxCluster {
		return fmt.Errorf("clusters of %d blocks: at most %d", n, maxCluster)
	}
	return nil
}

// clusters is how many clusters the grid has in each dimension.
func (l *launch) clusters() (n [3]int) {
	for i := range n {
		n[i] = l.grid[i] / l.cluster[i]
	}
	return n
}

// gather puts a cluster's blocks on the machine, in the places of blocks that have exited.
func (l *launch) gather(number, slot int, free *[]*block) *cluster {
	n, s := l.clusters(), l.cluster
	c := &cluster{at: [3]int{number % n[0], number / n[0] % n[1], number / n[0] / n[1]}, left: s[0] * s[1] * s[2]}
	for rank := range c.left {
		var b *block
		if last := len(*free) - 1; last >= 0 {
			b, *free = (*free)[last], (*free)[:last]
		}
		at := [3]int{c.at[0]*s[0] + rank%s[0], c.at[1]*s[1] + rank/s[0]%s[1], c.at[2]*s[2] + rank/s[0]/s[1]}
		b = l.start(at, slot*c.left+rank, b)
		b.cluster, b.rank = c, rank
		c.blocks = append(c.blocks, b)
	}
	return c
}

// leave removes a block that has exited from its cluster. Copies still under way to it would
// write to the next block's memory.
func (b *block) leave() error {
	b.exited = true
	b.cluster.left--
	b.launch.changes++
	for _, t := range b.bulk {
		t.by.fail(t.i, 1<<t.lane, "block %v has exited, and nobody there has waited for the %d bytes on their way to it", b.at, t.bytes)
		return t.by.fault
	}
	return nil
}

// locate finds the block that an address of n bytes of shared memory is in, and the
// address that the block itself has for them.
func (b *block) locate(in space, address uint64, n int) (*block, uint64, error) {
	to, own := b, address
	if rank := address >> rankShift; in == clusterSpace && rank > 0 && rank <= uint64(len(b.cluster.blocks)) {
		to, own = b.cluster.blocks[rank-1], address&(1<<rankShift-1)
	}
	if size := b.launch.sharedSize; !b.launch.within(own, n) {
		return nil, 0, fmt.Errorf("%d bytes at %s address %#x: shared memory has %d bytes from %#x", n, spaceNames[in], address, size, sharedStart)
	}
	if to.exited {
		return nil, 0, fmt.Errorf("%s address %#x is in block %v, which has exited", spaceNames[in], address, to.at)
	}
	return to, own, nil
}

// within tells whether bytes lie in a block's shared memory.
func (l *launch) within(address uint64, n int) bool {
	size := uint64(l.sharedSize)
	return address >= sharedStart && address-sharedStart <= size && address-sharedStart+uint64(n) <= size
}

// host is where a block's shared memory would begin at address 0.
func (b *block) host() uint64 { return hostAddress(b.shared) - sharedStart }

// sharedOf is the space that .shared means: ::cta where it says nothing else.
func sharedOf(which string) space {
	if which == "cluster" {
		return clusterSpace
	}
	return sharedSpace
}

// mapAddress decodes mapa.shared::cluster.u32.
func (d *decoder) mapAddress() {
	i, o := d.i, d.st.operands
	if strings.Join(d.parts[1:], ".") != "shared::cluster.u32" {
		d.err = errUnknown
		return
	}
	if d.arity(3, 3) {
		i.exec, i.d, i.a, i.b = execMapAddress, d.destination(&o[0], words), d.word(&o[1], 32), d.word(&o[2], 32)
	}
}

func execMapAddress(w *warp, i *instruction, mask uint32) {
	b := w.block
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		rank, at := w.r[i.b][l], w.r[i.a][l]&(1<<rankShift-1)
		switch {
		case rank >= uint32(len(b.cluster.blocks)):
			w.fail(i, 1<<l, "block %d of a cluster of %d", rank, len(b.cluster.blocks))
			return
		case rank != uint32(b.rank):
			at |= (rank + 1) << rankShift
		}
		w.r[i.d][l] = at
	}
}
