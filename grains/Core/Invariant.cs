namespace VmoCluster.Core;

/// <summary>Beliefs, checked in release too. A broken one ends the activation, not the cluster.</summary>
public static class Invariant
{
    public static void Holds(bool belief, string sentence)
    {
        if (!belief)
            throw new InvariantException(sentence);
    }
}

/// <summary>A belief of the core turned out false: a bug of ours. Whoever runs the core logs it as critical and starts over from the store.</summary>
public sealed class InvariantException(string sentence) : Exception($"invariant broken: {sentence}");
