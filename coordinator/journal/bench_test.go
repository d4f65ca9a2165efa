package journal_test

import (
	"fmt"
	"sync"
	"testing"
)

// BenchmarkActions measures what it costs to record actions that do nothing,
// with that many under way at once. Most of it is the wait for the disk, which
// those that begin at the same time share.
func BenchmarkActions(b *testing.B) {
	for _, width := range []int{1, 20, 200} {
		b.Run(fmt.Sprintf("%d at once", width), func(b *testing.B) {
			j := create(b, newPlace(b))
			b.ResetTimer()
			var all sync.WaitGroup
			for w := range width {
				all.Go(func() {
					for i := w; i < b.N; i += width {
						must(b, j.Do(activate(fmt.Sprint("service", i)), succeed))
					}
				})
			}
			all.Wait()
			must(b, j.Close())
		})
	}
}
