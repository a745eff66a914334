using System.Collections.Concurrent;
using VmoCluster.Core.Store;

namespace VmoCluster.Hosting.Ownership;

/// <summary>
/// Give-up letters this silo has sent, by VMO and the owner they were about, so that waiting callers do not send one each. What is forgotten
/// is only sent once more.
/// </summary>
internal sealed class LettersSent(TimeProvider time)
{
    // Above this, letters older than a minute go: by then they are done or their session is dead.
    private const int Many = 10_000;
    private static readonly TimeSpan Old = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<Koid, (Owner About, ulong Number, long At)> _sent = new();

    /// <summary>The number of the letter about this very owner.</summary>
    public ulong? Find(Koid vmo, Owner about) => _sent.TryGetValue(vmo, out var sent) && sent.About == about ? sent.Number : null;

    public void Note(Koid vmo, Owner about, ulong number)
    {
        if (_sent.Count >= Many)
        {
            foreach (var (koid, sent) in _sent)
            {
                if (time.GetElapsedTime(sent.At) > Old)
                {
                    _sent.TryRemove(koid, out _);
                }
            }
        }

        _sent[vmo] = (about, number, time.GetTimestamp());
    }

    public void Forget(Koid vmo) => _sent.TryRemove(vmo, out _);
}
