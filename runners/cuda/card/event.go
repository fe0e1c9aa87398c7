package card

import "unsafe"

// Event marks a point in the stream, for measuring.
type Event struct {
	card   *Card
	handle uintptr
}

// NewEvent returns an event that marks nothing yet.
func (c *Card) NewEvent() Event {
	e := Event{card: c}
	c.Do(func() { call(c.driver.EventCreate, uintptr(unsafe.Pointer(&e.handle)), 0) })
	return e
}

// Record marks what has been asked of the card up to now.
func (e Event) Record() {
	e.card.Do(func() { call(e.card.driver.EventRecord, e.handle, e.card.stream) })
}

// Since returns the milliseconds that the card took from an earlier event to this one,
// once it has passed both.
func (e Event) Since(earlier Event) float64 {
	var ms float32
	e.card.Do(func() {
		call(e.card.driver.EventElapsedTime, uintptr(unsafe.Pointer(&ms)), earlier.handle, e.handle)
	})
	return float64(ms)
}

// Close gives the event back.
func (e Event) Close() { e.card.Do(func() { call(e.card.driver.EventDestroy, e.handle) }) }
