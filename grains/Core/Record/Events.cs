using VmoCluster.Core.Encoding;

namespace VmoCluster.Core.Record;

/// <summary>What the last commit of a record or layer did, stored with it, so that durable object events can be made of it.</summary>
public static class Events
{
    /// <summary>The seq the commit leads to and the calls in it, by name and number: <c>write=3,zero=1</c>.</summary>
    public static byte[] Encode(ulong seq, string calls)
    {
        var writer = new FieldWriter(32);
        writer.Byte(1);
        writer.Varint(seq);
        writer.Text(calls);
        return writer.ToArray();
    }
}
