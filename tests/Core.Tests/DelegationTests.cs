using System.Buffers.Binary;
using CsCheck;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Tests.Model;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;
using Xunit.Abstractions;

namespace VmoCluster.Core.Tests;

/// <summary>
/// P2 of live families over silos whose clocks differ, that freeze and go on, lose their sessions and die, while messages and commits are on their way for as long as they like.
/// A client a VMO changes pages, others read; after every step all that any silo would answer from memory is looked at, too. Whatever is seen, some order of the changes must
/// explain.
/// </summary>
public class DelegationTests(ITestOutputHelper output)
{
    private const ulong Page = Limits.PageBytes;
    private const int Steps = 600;

    private static readonly int Iterations = int.TryParse(Environment.GetEnvironmentVariable("VMO_ITERATIONS"), out var iterations) ? iterations : 2000;

    [Fact]
    public void P2_Whatever_is_read_in_a_live_family_some_order_of_the_changes_explains()
    {
        var coverage = new SimCoverage();
        Gen.Int[0, int.MaxValue].Sample(seed => new Story(seed, coverage).Play(), iter: Iterations);
        output.WriteLine($"{Iterations} seeds of {Steps} steps:\n{coverage}");
        // Or the test has not met what it is about.
        foreach (var met in new[] { "grant overtaken by a recall", "recall that waits for a gate", "recall of a dead session", "fenced", "taken over from a dead session", "goes on after its session is dead", "change made", "seen in memory", "stretch granted", "extent granted", "stretch asked back" })
            Assert.True(coverage[met] > 0, $"never met: {met}\n{coverage}");
    }

    private sealed class Story
    {
        // Three extents, two pages in one of them.
        private static readonly ulong[] Pages = [0, 1, 300, 700];

        private readonly Random _random;
        private readonly SimFamily _family;
        private readonly SimCoverage _coverage;
        private readonly VmoHandle[] _vmos;
        private readonly RegisterFamily[] _registers;
        private readonly Dictionary<Koid, int> _indices = [];
        private readonly Writer?[] _writers;
        private readonly List<Reader> _readers = [];
        private uint _number;

        public Story(int seed, SimCoverage coverage)
        {
            (_random, _coverage) = (new(seed), coverage);
            _family = new(seed, hasLeases: true) { Coverage = coverage, UnknownPercent = _random.Next(3) * 4, TrimPercent = _random.Next(4) == 0 ? 5 : 0 };
            var parents = new int[_random.Next(2, 5)];
            _vmos = new VmoHandle[parents.Length];
            parents[0] = -1;
            _vmos[0] = _family.CreateRoot(1024 * Page);
            for (var i = 1; i < parents.Length; i++)
            {
                parents[i] = _random.Next(2) == 0 ? i - 1 : _random.Next(i);
                var (outcome, _, handles) = _family.Clone(_vmos[parents[i]], 1, new CloneSpec { Size = 1024 * Page });
                Assert.Equal(Outcome.Ok, outcome);
                _vmos[i] = handles[0];
            }

            for (var i = 0; i < parents.Length; i++)
                _indices[_vmos[i].Koid] = i;
            _registers = [.. Pages.Select(_ => new RegisterFamily(parents))];
            _writers = new Writer?[parents.Length];
        }

        private sealed record Writer(int Page, Func<SimTicket> Send)
        {
            public SimTicket Ticket { get; set; } = Send();
        }

        private sealed record Reader(int Vmo, int Page, SimTicket Ticket)
        {
            // All that the page may have shown since the call.
            public HashSet<Cell> Possible { get; } = [];
        }

        public void Play()
        {
            for (var step = 0; step < Steps; step++)
            {
                Act();
                for (var effects = _random.Next(1, 4); effects > 0; effects--)
                {
                    if (!_family.RunOne())
                        _family.Advance(50);
                    Look();
                }
            }

            for (var silo = 0; silo < SimFamily.SiloCount; silo++)
                _family.Thaw(silo);
            // Everybody is answered, within what it takes to find a session dead.
            for (var rounds = 0; _writers.Any(writer => writer is not null) || _readers.Count > 0; rounds++)
            {
                Assert.True(rounds < 20_000, $"somebody is never answered\n{_family.DescribeWork()}");
                Hear();
                if (!_family.RunOne() || rounds % 20 == 0)
                    _family.Advance(50);
                Look();
            }
        }

        private void Act()
        {
            Hear();
            var vmo = _random.Next(_vmos.Length);
            switch (_random.Next(20))
            {
                case < 6 when _writers[vmo] is null:
                    Change(vmo, _random.Next(Pages.Length));
                    break;
                case < 11 when _readers.Count < 6:
                    Read(vmo, _random.Next(Pages.Length));
                    break;
                case < 17:
                    _family.Advance(_random.Next(1, 60));
                    break;
                case 17 when _random.Next(8) == 0:
                    _family.Crash();
                    break;
                case 18 when _random.Next(4) == 0:
                    _family.Freeze(_random.Next(SimFamily.SiloCount));
                    break;
                case 18 or 19:
                    // Longer than a lease now and then.
                    if (_random.Next(8) == 0)
                        Pass(_random.Next(3000, 9000));
                    _family.Thaw(_random.Next(SimFamily.SiloCount));
                    break;
            }
        }

        private void Pass(int milliseconds)
        {
            for (; milliseconds > 0; milliseconds -= 250)
            {
                _family.Advance(250);
                _family.RunSome(5);
                Look();
            }
        }

        private void Change(int vmo, int page)
        {
            var (change, number, request, at) = ((CellChange)_random.Next(4), ++_number, _family.NextRequest(), Pages[page] * Page);
            _registers[page].Begin(vmo, change, number);
            var head = SimFamily.Head(_vmos[vmo].Secret) with { DeadlineMs = 600_000 };
            var data = new byte[change == CellChange.WriteWhole ? (int)Page : 4];
            BinaryPrimitives.WriteUInt32LittleEndian(data, number);
            if (data.Length > 4)
                BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(8), number);
            _writers[vmo] = new(page, () => _family.Send(_vmos[vmo].Koid, ticket => change == CellChange.Decommit
                ? new CallInput(ticket, new OpRangeCall(head with { Request = request }, VmoOp.Decommit, new(at, Page)))
                : new WriteInput(ticket, new() { Head = head, Items = [new(request, at + (change == CellChange.WriteSecond ? 8u : 0), data.Length)], Data = data })));
        }

        private void Read(int vmo, int page)
        {
            var reads = new ReadCalls { Head = SimFamily.Head(_vmos[vmo].Secret) with { DeadlineMs = 600_000 }, Items = [new(Pages[page] * Page, 12)] };
            var ticket = _family.Send(_vmos[vmo].Koid, at => new ReadInput(at, reads));
            var reader = new Reader(vmo, page, ticket);
            reader.Possible.UnionWith(_registers[page].Possible(vmo));
            _readers.Add(reader);
        }

        // What has been answered.
        private void Hear()
        {
            for (var vmo = 0; vmo < _writers.Length; vmo++)
            {
                if (_writers[vmo] is not { Ticket.Reply: { } reply } writer)
                    continue;
                var outcome = reply is WriteReplies writes ? writes.Outcomes?[0] ?? Outcome.Ok : ((VmoReply)reply).Outcome;
                if (outcome.Status is VmoStatus.Io or VmoStatus.ShouldWait)
                {
                    // As a client does: the same call again.
                    _coverage.Count("change tried again");
                    writer.Ticket = writer.Send();
                    continue;
                }

                Assert.Equal(Outcome.Ok, outcome);
                _coverage.Count("change made");
                _registers[writer.Page].End(vmo);
                _writers[vmo] = null;
            }

            foreach (var reader in _readers.Where(reader => reader.Ticket.Reply is not null).ToArray())
            {
                _readers.Remove(reader);
                if (reader.Ticket.Reply is not ReadReplies { Outcomes: null } replies)
                    continue;
                var seen = CellOf(replies);
                Assert.True(reader.Possible.Contains(seen), $"VMO {reader.Vmo} was read and showed {seen} at page {Pages[reader.Page]}; possible since the call were {string.Join(' ', reader.Possible)}");
            }
        }

        private void Look()
        {
            Hear();
            foreach (var (koid, tryRead) in _family.Answering)
            {
                var vmo = _indices[koid];
                for (var page = 0; page < Pages.Length; page++)
                {
                    if (tryRead(new() { Head = SimFamily.Head(_vmos[vmo].Secret), Items = [new(Pages[page] * Page, 12)] }) is not { Outcomes: null } replies)
                        continue;
                    _coverage.Count("seen in memory");
                    var seen = CellOf(replies);
                    var possible = string.Join(' ', _registers[page].Possible(vmo));
                    Assert.True(_registers[page].See(vmo, seen), $"VMO {vmo} shows {seen} at page {Pages[page]}; possible are {possible}");
                }
            }

            foreach (var reader in _readers)
                reader.Possible.UnionWith(_registers[reader.Page].Possible(reader.Vmo));
        }

        private static Cell CellOf(ReadReplies replies) =>
            new(BinaryPrimitives.ReadUInt32LittleEndian(replies.Data), BinaryPrimitives.ReadUInt32LittleEndian(replies.Data.AsSpan(8)));
    }
}
