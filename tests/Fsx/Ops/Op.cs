using System.Globalization;

namespace VmoCluster.Fsx.Ops;

/// <summary>One operation: a line of a script, and back. What its numbers mean is told by <see cref="ToString"/>.</summary>
public sealed record Op(OpKind Kind, HandleName On = default)
{
    /// <summary>An offset, a size, or a count.</summary>
    public ulong A { get; init; }

    /// <summary>A length.</summary>
    public ulong B { get; init; }

    /// <summary>Which bytes are written; 0 for zeros.</summary>
    public byte Fill { get; init; }

    public bool IsFixed { get; init; }

    /// <summary>The handle that a duplicate becomes.</summary>
    public HandleName New { get; init; }

    public VmoRights Rights { get; init; }

    public IReadOnlyList<ChildSpec> Children { get; init; } = [];

    /// <summary>The bytes that a write of this fill puts at an offset: each place has its own, so that none is taken for another.</summary>
    public static byte[] Bytes(byte fill, ulong offset, ulong length)
    {
        var data = new byte[length];
        for (var i = 0ul; fill != 0 && i < length; i++)
            data[i] = unchecked((byte)((fill * 31ul) + ((offset + i) * 7) + ((offset + i) / 253)));
        return data;
    }

    public override string ToString() => Kind.ToString().ToLowerInvariant() + Kind switch
    {
        OpKind.Create => $" {On} {Amount.Format(A)}" + (IsFixed ? " fixed" : ""),
        OpKind.Write => $" {On} {Amount.Format(A)} {Amount.Format(B)} fill {Fill}",
        OpKind.Read or OpKind.Zero or OpKind.Decommit or OpKind.Commit or OpKind.Lookup => $" {On} {Amount.Format(A)} {Amount.Format(B)}",
        OpKind.Resize or OpKind.Content => $" {On} {Amount.Format(A)}",
        OpKind.Clone => $" {On}: {string.Join("; ", Children)}",
        OpKind.Dup => $" {On} {New} {Rights.ToString().Replace(", ", "|", StringComparison.Ordinal)}",
        OpKind.Close or OpKind.Revoke or OpKind.Info => $" {On}",
        OpKind.Crash or OpKind.Some => string.Create(CultureInfo.InvariantCulture, $" {A}"),
        _ => "",
    };

    /// <summary>Reads a line. Throws <see cref="FormatException"/>, which says what is wrong.</summary>
    public static Op Parse(string line)
    {
        try
        {
            return ParseWords(line);
        }
        catch (Exception failure) when (failure is FormatException or IndexOutOfRangeException or ArgumentException or OverflowException)
        {
            throw new FormatException($"'{line}' is no operation: {failure.Message}", failure);
        }
    }

    private static Op ParseWords(string line)
    {
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var kind = Enum.Parse<OpKind>(words[0], ignoreCase: true);
        if (kind is OpKind.Rest or OpKind.Trim)
            return new(kind);
        if (kind is OpKind.Crash or OpKind.Some)
            return new(kind) { A = Amount.Parse(words[1]) };
        var op = new Op(kind, HandleName.Parse(words[1].TrimEnd(':')));
        return kind switch
        {
            OpKind.Create => op with { A = Amount.Parse(words[2]), IsFixed = words.Contains("fixed") },
            OpKind.Write => op with { A = Amount.Parse(words[2]), B = Amount.Parse(words[3]), Fill = byte.Parse(words[5], CultureInfo.InvariantCulture) },
            OpKind.Resize or OpKind.Content => op with { A = Amount.Parse(words[2]) },
            OpKind.Clone => op with { Children = [.. line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Split(';').Select(ChildSpec.Parse)] },
            OpKind.Dup => op with { New = HandleName.Parse(words[2]), Rights = Enum.Parse<VmoRights>(words[3].Replace("|", ",", StringComparison.Ordinal)) },
            OpKind.Close or OpKind.Revoke or OpKind.Info => op,
            _ => op with { A = Amount.Parse(words[2]), B = Amount.Parse(words[3]) },
        };
    }
}
