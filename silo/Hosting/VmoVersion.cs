using System.Reflection;

namespace VmoCluster.Hosting;

/// <summary>The version of this build.</summary>
public static class VmoVersion
{
    /// <summary>As the build says it, without the commit that some builds add.</summary>
    public static string Text { get; } =
        typeof(VmoVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0.0.0";
}
