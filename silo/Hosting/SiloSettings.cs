using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using VmoCluster.Hosting.Calls;
using VmoCluster.Hosting.Nodes;
using VmoCluster.Hosting.Settings;

namespace VmoCluster.Hosting;

/// <summary>
/// How Orleans is set up. All of it is about time: what a silo does not say in time is taken for its death, and what Orleans itself would wait
/// for is shorter than the callers' patience. Safety rests on none of these values, it rests on owners and sessions in the store.
/// </summary>
internal static class SiloSettings
{
    /// <summary>All of a graceful leave. Kubernetes' grace period must be longer.</summary>
    public static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(30);

    public static void Apply(ISiloBuilder silo, VmoNodeOptions options, NodeStore store)
    {
        Join(silo, options, store);
        Directory(silo);
        Messages(silo);
        Activations(silo);
        silo.AddActivityPropagation();
        silo.AddIncomingGrainCallFilter<GatewayPolicy>();
        silo.AddIncomingGrainCallFilter<BrokenBeliefs>();
    }

    private static void Join(ISiloBuilder silo, VmoNodeOptions options, NodeStore store)
    {
        silo.Configure<SiloOptions>(o => o.SiloName = options.SiloName);
        silo.Configure<ClusterOptions>(o =>
        {
            o.ServiceId = ClusterNames.ServiceId;
            o.ClusterId = options.ClusterId ?? ClusterNames.ClusterId(store.Redis.Identity.Id);
        });
        silo.ConfigureEndpoints(options.Address, options.SiloPort, options.GatewayPort ?? 0, listenOnAnyHostAddress: false);
        if (options.IsEmbedded)
        {
            // One node knows its members by itself.
            silo.UseDevelopmentClustering(new System.Net.IPEndPoint(options.Address, options.SiloPort));
        }
        else
        {
            silo.UseRedisClustering(redis =>
            {
                redis.ConfigurationOptions = new();
                redis.CreateMultiplexer = _ => Task.FromResult((store.Redis.Membership, true));
                redis.CreateRedisKey = cluster => ClusterNames.MembershipKey(options.Prefix, cluster.ClusterId);
            });
        }

        silo.Configure<ClusterMembershipOptions>(o =>
        {
            o.ProbeTimeout = TimeSpan.FromSeconds(1);
            o.MinProbeTimeout = TimeSpan.FromMilliseconds(500);
            o.MaxProbeTimeout = TimeSpan.FromSeconds(2);
            o.NumMissedProbesLimit = 3;

            // A silo declared dead learns of it when it reads the table: this is how long it may go on unaware.
            o.TableRefreshTimeout = TimeSpan.FromSeconds(2);

            // Who joins asks all that were active, except those silent in the table for three of these. Where all silos died at once nobody
            // declares them dead, and the first to come back would wait for them: this is how long.
            o.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(3);
            o.NumMissedTableIAmAliveLimit = 3;
            o.DefunctSiloCleanupPeriod = TimeSpan.FromMinutes(10);
            o.DefunctSiloExpiration = TimeSpan.FromHours(1);
        });
    }

    private static void Directory(ISiloBuilder silo)
    {
        // The default directory throws activations of healthy silos away whenever a silo leaves; this one does not. It is marked
        // experimental, and its own lease would block all activations for 20 s after a crash and at each start: our owners guard us instead.
#pragma warning disable ORLEANSEXP003
        silo.AddDistributedGrainDirectory();
#pragma warning restore ORLEANSEXP003
        silo.Configure<GrainDirectoryOptions>(o => o.RangeLeaseDuration = TimeSpan.Zero);
    }

    private static void Messages(ISiloBuilder silo)
    {
        silo.Configure<ConnectionOptions>(o => o.ConnectionsPerEndpoint = 4);
        silo.Configure<SiloMessagingOptions>(o =>
        {
            // A wait stays at its VMO for up to 5 s; anything above that has failed, and its caller repeats it under its request id.
            o.ResponseTimeout = TimeSpan.FromMilliseconds(2 * Limits.WaitPollMs);
            o.MaxMessageBodySize = 16 * Limits.MessageBytesMax;
            o.MaxMessageHeaderSize = 1 << 20;
            o.MaxEnqueuedRequestsHardLimit = 2 * Limits.QueueCallsPerVmoMax;
        });
    }

    private static void Activations(ISiloBuilder silo) =>
        silo.Configure<GrainCollectionOptions>(o =>
        {
            o.CollectionAge = TimeSpan.FromMinutes(10);
            o.CollectionQuantum = TimeSpan.FromMinutes(1);
            o.DeactivationTimeout = TimeSpan.FromSeconds(10);
            o.EnableActivationSheddingOnMemoryPressure = true;
        });
}
