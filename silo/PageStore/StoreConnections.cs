using System.Security.Authentication;
using System.Security.Cryptography;
using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>
/// The three kinds of connection. Sessions and membership have their own, so that no blob or WAIT holds up a renewal; a commit's blobs
/// and script share one, which is what orders them; bulk reads have a third.
/// </summary>
internal sealed class StoreConnections : IAsyncDisposable
{
    /// <summary>Milliseconds of one round trip, below the silo's lease (4 s) with room for a repeat.</summary>
    private const int TimeoutMs = 1000;

    /// <summary>
    /// The same towards the embedded store, still below the lease. Nobody is behind it who could be asked instead or would go on without us:
    /// when its log is slow to reach the disk, waiting is all there is.
    /// </summary>
    private const int EmbeddedTimeoutMs = 3000;

    private const int ConnectMs = 5000;

    private readonly StoreTrust _trust;

    private StoreConnections(StoreConnection control, StoreConnection commits, StoreConnection reads, string commitsName, StoreTrust trust) =>
        (Control, Commits, Reads, CommitsName, _trust) = (control, commits, reads, commitsName, trust);

    public StoreConnection Control { get; }

    public StoreConnection Commits { get; }

    public StoreConnection Reads { get; }

    public IEnumerable<StoreConnection> All => [Control, Commits, Reads];

    /// <summary>What the server knows the connections for commits by; this process's alone.</summary>
    public string CommitsName { get; }

    public static async Task<StoreConnections> OpenAsync(RedisStoreOptions options)
    {
        var opened = new List<StoreConnection>();
        var trust = StoreTrust.Load(options.CaFile);
        var commits = LateWrites.NamePrefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        try
        {
            // A write that waits for a lost connection would arrive seconds late; it is better refused. A read may wait.
            foreach (var (name, backlog) in new[] { ("vmo-control", BacklogPolicy.FailFast), (commits, BacklogPolicy.FailFast), ("vmo-reads", BacklogPolicy.Default) })
                opened.Add(new(await ConnectionMultiplexer.ConnectAsync(Configure(options, name, backlog, trust))));
            return new(opened[0], opened[1], opened[2], commits, trust);
        }
        catch (Exception error)
        {
            foreach (var connection in opened)
                await connection.DisposeAsync();
            trust.Dispose();
            if (error is StoreException || !StoreFaults.IsStoreTrouble(error))
                throw;
            throw Unopened(error, trust);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Commits.DisposeAsync();
        await Reads.DisposeAsync();
        await Control.DisposeAsync();
        _trust.Dispose();
    }

    private static ConfigurationOptions Configure(RedisStoreOptions options, string name, BacklogPolicy backlog, StoreTrust trust)
    {
        ConfigurationOptions redis;
        try
        {
            redis = ConfigurationOptions.Parse(options.Configuration);
        }
        catch (ArgumentException error)
        {
            // Its text quotes the option, and that may be a password.
            throw new StoreException(
                VmoStatus.Io, $"The Redis configuration cannot be read ({error.GetType().Name}): it is HOST:PORT[,option=value...] as StackExchange.Redis has it.");
        }

        if (redis.EndPoints.Count == 0)
            throw new StoreException(VmoStatus.Io, "The Redis configuration names no HOST:PORT.");
        if (options.CaFile is not null && !redis.Ssl)
            throw new StoreException(VmoStatus.Io, "A CA file is given, but the Redis configuration does not say ssl=true: say both or neither.");
        trust.Guard(redis);
        redis.Password = PasswordOf(options) ?? redis.Password;
        redis.ClientName = name;
        redis.AsyncTimeout = options.Embedded ? EmbeddedTimeoutMs : TimeoutMs;
        redis.SyncTimeout = redis.AsyncTimeout;
        redis.ConnectTimeout = ConnectMs;
        redis.ConnectRetry = 1;
        redis.AbortOnConnectFail = true;
        redis.HeartbeatInterval = TimeSpan.FromMilliseconds(250);
        redis.ReconnectRetryPolicy = new LinearRetry(250);
        redis.BacklogPolicy = backlog;
        // What the Sentinels say may be missed; the roles are asked for this often. A minute, the default, is how long a silo then had no primary.
        redis.ConfigCheckSeconds = 5;
        // INFO, which tells how full the store is.
        redis.AllowAdmin = true;
        // Neither keys nor channels of its own in somebody's Redis.
        redis.TieBreaker = "";
        redis.ConfigurationChannel = "";
        redis.IncludeDetailInExceptions = false;
        return redis;
    }

    private static string? PasswordOf(RedisStoreOptions options)
    {
        if (options.Password is not null)
            return options.Password;
        if (options.PasswordFile is null)
            return Environment.GetEnvironmentVariable(RedisStoreOptions.PasswordVariable);
        try
        {
            return File.ReadLines(options.PasswordFile).FirstOrDefault()
                ?? throw new StoreException(VmoStatus.Io, $"The password file {options.PasswordFile} is empty.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StoreException(VmoStatus.Io, $"The password file {options.PasswordFile} cannot be read.", error);
        }
    }

    private static StoreException Unopened(Exception error, StoreTrust trust)
    {
        if (trust.Refusal is { } refusal)
            return new(VmoStatus.Io, $"The store's certificate {refusal}.", error);
        var causes = new List<Exception>();
        for (var cause = error; cause is not null; cause = cause.InnerException)
            causes.Add(cause);
        // A TLS handshake that failed is an authentication failure to StackExchange.Redis, too.
        if (!causes.Any(cause => cause is AuthenticationException) && causes.Any(IsAboutPassword))
        {
            return new(
                VmoStatus.Io,
                $"The store refuses the password, or wants one: set it in a file, in {RedisStoreOptions.PasswordVariable}, or in the configuration.",
                error);
        }

        var seal = trust.IsAsked
            ? "and is that its TLS port, as ssl=true says"
            : "and is that its port without TLS? A port with TLS needs ssl=true in the configuration";
        return new(VmoStatus.Io, $"The store cannot be reached: is Redis running at the configured address, {seal}?", error);
    }

    private static bool IsAboutPassword(Exception cause) =>
        cause is RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure }
        || cause.Message.Contains("WRONGPASS", StringComparison.Ordinal) || cause.Message.Contains("NOAUTH", StringComparison.Ordinal)
        || cause.Message.Contains("invalid password", StringComparison.Ordinal);
}
