package card

import "unsafe"

// Graph is a list of launches that the driver repeats as one (a CUDA graph).
type Graph struct {
	card       *Card
	executable uintptr
	held       []uint64 // scratch memory of the kernels in it
}

// Capture records what step launches, without running it. It returns nil where that is not
// possible; the operation has then failed. Errors name the operation that called Capture,
// not those of step.
func (c *Card) Capture(step func()) *Graph {
	const relaxed = 2
	operation := c.last
	if !c.ok(call(c.driver.StreamBeginCapture, c.stream, relaxed)) {
		return nil
	}
	g := &Graph{card: c}
	c.capturing = g
	var graph uintptr
	finished := false
	end := func() uint32 {
		c.capturing = nil
		return call(c.driver.StreamEndCapture, c.stream, uintptr(unsafe.Pointer(&graph)))
	}
	defer func() {
		if !finished { // step panicked
			end()
			g.close()
		}
	}()
	step()
	finished = true
	c.last = operation
	ok := c.ok(end()) && c.ok(call(c.driver.GraphInstantiate, uintptr(unsafe.Pointer(&g.executable)), graph, 0))
	if graph != 0 {
		call(c.driver.GraphDestroy, graph)
	}
	if !ok {
		g.close()
		return nil
	}
	return g
}

// Capturing says whether launches are being recorded.
func (c *Card) Capturing() bool { return c.capturing != nil }

// HostNeeded panics while launches are captured: the host cannot take part in a graph.
func (c *Card) HostNeeded(what string) {
	if c.capturing != nil {
		panic("cuda: " + what + " inside Replay: a recorded step runs without the host")
	}
}

// Launch runs the graph.
func (g *Graph) Launch() {
	g.card.ok(call(g.card.driver.GraphLaunch, g.executable, g.card.stream))
}

// Close gives the graph back, and the scratch memory of its kernels.
func (g *Graph) Close() { g.card.Do(g.close) }

func (g *Graph) close() {
	if g.executable != 0 {
		call(g.card.driver.GraphExecDestroy, g.executable)
	}
	for _, p := range g.held {
		g.card.arena.give(p)
	}
	g.executable, g.held = 0, nil
}
