using VmoCluster.Cli.Files;

namespace VmoCluster.Cli.Transfer;

/// <summary>Where bytes that were read go, from low offsets to high. What lies between is zero.</summary>
internal abstract class Sink
{
    /// <summary>Takes bytes.</summary>
    /// <param name="offset">From the sink's beginning; never below the end of the bytes before.</param>
    /// <param name="bytes">The bytes.</param>
    public abstract void Put(ulong offset, ReadOnlySpan<byte> bytes);

    /// <summary>All has come; what is missing up to this length is zero.</summary>
    public abstract void Finish(ulong length);

    /// <summary>A file with holes, or what can have none written whole.</summary>
    public static Sink Of(TargetFile file) => file.IsSparse ? new SparseSink(file) : new DenseSink(file.AsStream());
}

/// <summary>A regular file: zeros are left out.</summary>
internal sealed class SparseSink(TargetFile file) : Sink
{
    public override void Put(ulong offset, ReadOnlySpan<byte> bytes)
    {
        for (var at = 0; ZeroPages.TryNextStretch(bytes, at, out var stretch); at = stretch.End.Value)
            file.Write(offset + (ulong)stretch.Start.Value, bytes[stretch]);
    }

    public override void Finish(ulong length) => file.SetLength(length);
}

/// <summary>A pipe or device: zeros are bytes like others.</summary>
internal sealed class DenseSink(Stream stream) : Sink
{
    private static readonly byte[] Zeros = new byte[64 << 10];
    private ulong _position;

    public override void Put(ulong offset, ReadOnlySpan<byte> bytes)
    {
        Finish(offset);
        stream.Write(bytes);
        _position += (ulong)bytes.Length;
    }

    public override void Finish(ulong length)
    {
        while (_position < length)
        {
            var step = (int)Math.Min(length - _position, (ulong)Zeros.Length);
            stream.Write(Zeros.AsSpan(0, step));
            _position += (ulong)step;
        }
    }
}
