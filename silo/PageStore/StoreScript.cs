using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;

namespace VmoCluster.PageStore;

/// <summary>
/// A script of the folder Scripts, called by its SHA-1 and sent whole only to a node that does not know it yet.
/// </summary>
internal sealed class StoreScript
{
    private readonly byte[] _hash;

    private StoreScript(string text)
    {
        Text = text;
#pragma warning disable CA5350 // Redis names scripts by SHA-1; nothing is protected by it.
        _hash = SHA1.HashData(Encoding.UTF8.GetBytes(text));
#pragma warning restore CA5350
    }

    public string Text { get; }

    /// <summary>Reads a script.</summary>
    /// <param name="name">File name without its end.</param>
    /// <param name="declaration">
    /// Redis 7's declaration line, or nothing. A declared script without allow-oom is refused as a whole when Redis is full; an undeclared
    /// one only up to its first write, and UNLINK is a write that may always go first. Garnet knows no declarations and no maxmemory.
    /// </param>
    /// <param name="isGuarded">Whether guard.lua goes before it: the last key and the last argument are the guard's.</param>
    public static StoreScript Read(string name, string declaration, bool isGuarded = false) =>
        new(declaration + (isGuarded ? TextOf("guard") : "") + TextOf(name));

    private static string TextOf(string name)
    {
        var resource = $"{typeof(StoreScript).Namespace}.Scripts.{name}.lua";
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"No script {resource}.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    /// <summary>Sends the call before it returns; the connection's order is the order of these calls.</summary>
    public Task<RedisResult> SendAsync(IDatabase database, RedisKey[] keys, RedisValue[] values) =>
        database.ScriptEvaluateAsync(_hash, keys, values, CommandFlags.DemandMaster);

    /// <summary>The same with the whole text, after a node has said that it does not know the script. Nothing was done then.</summary>
    public Task<RedisResult> SendWholeAsync(IDatabase database, RedisKey[] keys, RedisValue[] values) =>
        database.ScriptEvaluateAsync(Text, keys, values, CommandFlags.DemandMaster | CommandFlags.NoScriptCache);

    public static bool IsUnknown(RedisServerException error) => error.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal);
}
