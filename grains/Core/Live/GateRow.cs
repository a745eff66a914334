namespace VmoCluster.Core.Live;

/// <summary>The gates of several grants, entered all or none.</summary>
internal static class GateRow
{
    public static bool TryEnter(IReadOnlyList<Grant> grants)
    {
        for (var i = 0; i < grants.Count; i++)
        {
            if (grants[i].Gate.TryEnter())
                continue;
            for (i--; i >= 0; i--)
                grants[i].Gate.Leave();
            return false;
        }

        return true;
    }

    public static void Leave(IReadOnlyList<Grant> grants)
    {
        foreach (var grant in grants)
            grant.Gate.Leave();
    }
}
