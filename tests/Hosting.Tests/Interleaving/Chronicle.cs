namespace VmoCluster.Hosting.Tests.Interleaving;

/// <summary>What happened in a run: the last steps, for a failure, and how often what happened at all.</summary>
internal sealed class Chronicle
{
    private const int LinesKept = 60;

    private readonly Queue<string> _lines = new();

    public Dictionary<string, int> Seen { get; } = [];

    public string LastLines => string.Join('\n', _lines);

    public void Note(string line)
    {
        _lines.Enqueue(line);
        if (_lines.Count > LinesKept)
        {
            _lines.Dequeue();
        }
    }

    public void Count(string what)
    {
        lock (Seen)
        {
            Seen[what] = Seen.GetValueOrDefault(what) + 1;
        }
    }

    public static void Require(bool holds, string belief)
    {
        if (!holds)
        {
            throw new InvalidOperationException(belief);
        }
    }
}
