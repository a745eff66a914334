namespace VmoCluster.Fsx.Model;

/// <summary>A handle: whose it is, what it allows, and which it was derived from.</summary>
internal sealed class ModelHandle(ModelVmo vmo, VmoRights rights, ModelHandle? from)
{
    public ModelVmo Vmo { get; } = vmo;
    public VmoRights Rights { get; } = rights;
    public bool IsClosed { get; private set; }

    public void Close() => IsClosed = true;

    /// <summary>Whether it was derived from another, over any number of steps, closed ones included.</summary>
    public bool IsUnder(ModelHandle other) => this == other || (from?.IsUnder(other) ?? false);
}
