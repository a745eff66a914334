using System.CommandLine;

namespace VmoCluster.Cli;

/// <summary>One verb: its words and options, its help, and what it does. What is wrong is thrown; <see cref="CommandLine"/> prints it.</summary>
internal abstract class Verb : Command
{
    /// <param name="name">The verb.</param>
    /// <param name="group">Under which heading the overview lists it.</param>
    /// <param name="summary">One line for the overview.</param>
    protected Verb(string name, VerbGroup group, string summary)
        : base(name, summary)
    {
        Group = group;
        Add(Words);
    }

    public VerbGroup Group { get; }

    /// <summary>The words after the verb, as help shows them.</summary>
    public string Form { get; protected init; } = "";

    /// <summary>More than the summary: what to know before using it.</summary>
    public string Details { get; protected init; } = "";

    /// <summary>Whole commands to copy.</summary>
    public IReadOnlyList<string> Examples { get; protected init; } = [];

    /// <summary>Words that are neither options nor their values.</summary>
    public Argument<string[]> Words { get; } = new("words") { Arity = ArgumentArity.ZeroOrMore };

    /// <summary>At most so many of them.</summary>
    public int WordsMost { get; private set; }

    /// <summary>Does it. Returns the exit code.</summary>
    public abstract Task<int> RunAsync(Run run, CancellationToken cancellation);

    /// <summary>Says how many words the verb takes; any number if nothing is said.</summary>
    protected void TakeWords(int? most = null)
    {
        WordsMost = most ?? int.MaxValue;
    }
}
