namespace VmoCluster.Hosting.Settings;

/// <summary>One setting of a node, in all its forms.</summary>
/// <param name="Key">The configuration's key; the environment's variable is <c>Vmo__</c> and this.</param>
/// <param name="Option">The command line's option with its dashes; null for what must not stand there.</param>
/// <param name="Argument">What follows the option, for the help; empty for a switch.</param>
/// <param name="Help">What it does and what it is by default.</param>
/// <param name="Apply">Puts a text into the options; a sentence about what is allowed if it cannot.</param>
internal sealed record NodeSetting(string Key, string? Option, string Argument, string Help, Func<VmoNodeOptions, string, string?> Apply)
{
    public bool IsSwitch => Argument.Length == 0;
}
