using System.Globalization;
using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>Fields of records and layers, between the core's form and Redis'. <c>owner</c>, <c>formers</c>, <c>seq</c> and <c>layout</c> are the store's own.</summary>
internal static class StoredFields
{
    /// <summary>What a script can take: Lua's unpack takes fewer than 8,000 values; a commit's fields and blobs are limited well below (Limits.CommitLeavesMax).</summary>
    public const int ScriptValuesMax = 7_000;

    public static void Add(List<RedisValue> values, IReadOnlyList<StoreField> fields)
    {
        foreach (var field in fields)
        {
            RequireNotOurs(field.Name.Span);
            values.Add(field.Name);
            values.Add(field.Value);
        }
    }

    public static StoredHash ToHash(HashEntry[] entries, string whose)
    {
        var fields = new List<StoreField>(entries.Length);
        RedisValue owner = default, seq = default, layout = default, formers = default;
        foreach (var entry in entries)
        {
            if (entry.Name == "owner")
                owner = entry.Value;
            else if (entry.Name == FormersField.Name)
                formers = entry.Value;
            else if (entry.Name == "seq")
                seq = entry.Value;
            else if (entry.Name == "layout")
                layout = entry.Value;
            else
                fields.Add(new(entry.Name, entry.Value));
        }

        RequireLayout(layout, whose);
        if (owner.IsNull || !ulong.TryParse((string?)seq, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            throw new StoreException(VmoStatus.DataIntegrity, $"The record {whose} has no owner or no seq.");
        return new(Owner.Parse((string)owner!), number, fields) { Formers = FormersField.Parse((string?)formers, whose) };
    }

    public static void RequireLayout(RedisValue layout, string whose)
    {
        if (layout != StoreIdentity.LayoutNow)
        {
            throw new StoreException(
                VmoStatus.DataIntegrity, $"{whose} has layout {(layout.IsNull ? "none" : (string?)layout)}; this build knows {StoreIdentity.LayoutNow}.");
        }
    }

    public static void RequireHome(Koid vmo, LayerId layer)
    {
        if (layer.Home != vmo)
            throw new ArgumentException($"Layer {layer} does not lie in the hash slot of VMO {vmo}.", nameof(layer));
    }

    public static bool IsOurs(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("owner"u8) || name.SequenceEqual("formers"u8) || name.SequenceEqual("seq"u8) || name.SequenceEqual("layout"u8);

    public static void RequireNotOurs(ReadOnlySpan<byte> name)
    {
        if (IsOurs(name))
            throw new ArgumentException("The fields owner, formers, seq and layout are the store's own.", nameof(name));
    }

    // Bytes of a name that a pattern would read as wildcards are escaped; a prefix is any bytes at all.
    public static RedisValue GlobOf(ReadOnlySpan<byte> prefix)
    {
        var glob = new List<byte>((2 * prefix.Length) + 1);
        foreach (var b in prefix)
        {
            if (b is (byte)'*' or (byte)'?' or (byte)'[' or (byte)']' or (byte)'\\' or (byte)'^')
                glob.Add((byte)'\\');
            glob.Add(b);
        }

        glob.Add((byte)'*');
        return glob.ToArray();
    }
}
