namespace VmoCluster.Chaos.History;

/// <summary>A root and all that was cloned from it, with a dense number for each VMO; parents come before their children.</summary>
internal sealed class Family
{
    private readonly Dictionary<ulong, int> _numbers = [];
    private readonly List<int> _parents = [];
    private readonly List<bool> _isSnapshot = [];

    public Family(HistoryEvent creation)
    {
        Add(creation.Vmo, parent: -1, isSnapshot: false);
        Births.Add(creation);
    }

    public ulong Root => _numbers.First().Key;

    public int Count => _parents.Count;

    /// <summary>The calls that made its VMOs.</summary>
    public List<HistoryEvent> Births { get; } = [];

    public int NumberOf(ulong vmo) => _numbers[vmo];

    public int ParentOf(int vmo) => _parents[vmo];

    public bool IsSnapshot(int vmo) => _isSnapshot[vmo];

    public void AddClone(HistoryEvent clone)
    {
        Add(clone.Child, _numbers[clone.Vmo], clone.Kind == HistoryKind.CloneSnapshot);
        Births.Add(clone);
    }

    /// <summary>The families of a history, by each of their VMOs. A clone nobody knows to be there is in none: nobody has its handle.</summary>
    public static Dictionary<ulong, Family> Of(IEnumerable<HistoryEvent> events)
    {
        var families = new Dictionary<ulong, Family>();
        foreach (var birth in events.Where(IsBirth).OrderBy(one => one.Ended))
        {
            if (birth.Kind == HistoryKind.Create)
            {
                families.Add(birth.Vmo, new(birth));
                continue;
            }

            var family = families[birth.Vmo];
            family.AddClone(birth);
            families.Add(birth.Child, family);
        }

        return families;
    }

    public static bool IsBirth(HistoryEvent one) =>
        one.Outcome == HistoryOutcome.Ok && one.Kind is HistoryKind.Create or HistoryKind.CloneLive or HistoryKind.CloneSnapshot;

    private void Add(ulong vmo, int parent, bool isSnapshot)
    {
        _numbers.Add(vmo, _parents.Count);
        _parents.Add(parent);
        _isSnapshot.Add(isSnapshot);
    }
}
