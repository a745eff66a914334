using System.Buffers.Binary;
using CsCheck;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>
/// A snapshot of a live clone shows all of its live ancestors as they were in one moment. A writer stores one number after another, each in a
/// page of every ancestor, in a fixed order; snapshots are made meanwhile, everything is interleaved effect by effect, and silos die. Every
/// snapshot shows a state that there was, no older than its call and no younger than its answer.
/// </summary>
public class OneMomentTests
{
    private const ulong Page = Limits.PageBytes;

    private static readonly int Iterations = int.TryParse(Environment.GetEnvironmentVariable("VMO_ITERATIONS"), out var iterations) ? iterations : 400;

    [Fact]
    public void A_snapshot_shows_one_moment_of_all_live_ancestors_whatever_is_written_meanwhile()
    {
        var (walks, held, snapshots) = (0, 0, 0);
        Gen.Int[0, int.MaxValue].Sample(seed =>
        {
            var story = new Story(seed);
            story.Play();
            Interlocked.Add(ref walks, story.Family.Walks);
            Interlocked.Add(ref held, story.Family.HeldWalks);
            Interlocked.Add(ref snapshots, story.Snapshots);
        }, iter: Iterations);
        // Or the test has not met what it is about.
        Assert.True(walks > snapshots * 5 / 4 && held > snapshots / 50, $"{snapshots} snapshots, {walks} walks, {held} of them held");
    }

    private sealed class Story
    {
        private readonly Random _random;
        private readonly int _crashes;
        private readonly List<VmoHandle> _levels = [];
        private readonly List<ulong> _offsets = [];
        private readonly VmoHandle _source;
        private readonly int[] _order;
        private readonly uint[] _begun;
        private readonly uint[] _acked;
        private readonly List<(VmoHandle Handle, uint[] AtLeast, uint[] AtMost)> _made = [];

        // Of a write that was answered when so many children were to be seen: all that came later show it.
        private readonly List<(int Children, int Level, uint Number)> _seen = [];
        private SimTicket? _writing;
        private SimTicket? _cloning;
        private SimTicket? _noise;
        private Func<SimTicket>? _write;
        private Func<SimTicket>? _clone;
        private CloneCall? _call;
        private uint[] _atLeast = [];
        private int _at;
        private uint _number = 1;

        public Story(int seed)
        {
            _random = new(seed);
            var isRough = _random.Next(3) == 0;
            Family = new(seed) { UnknownPercent = isRough ? 10 : 0, LostPercent = isRough ? 10 : 0, WrongHintsPercent = seed % 4 == 0 ? 50 : 0 };
            _crashes = isRough ? 300 : 0;
            _levels.Add(Family.CreateRoot(32 * Page));
            for (var depth = _random.Next(1, 4); depth > 0; depth--)
            {
                _offsets.Add((ulong)_random.Next(2));
                _levels.Add(Clone(_levels[^1], new() { Offset = _offsets[^1] * Page, Size = 32 * Page }));
            }

            // Of the last one's pages through a reference, which has none.
            _source = _random.Next(3) == 0 ? Clone(_levels[^1], new() { Kind = VmoKind.Reference }) : _levels[^1];
            _order = [.. Enumerable.Range(0, _levels.Count).OrderBy(_ => _random.Next())];
            (_begun, _acked) = (new uint[_levels.Count], new uint[_levels.Count]);
        }

        public SimFamily Family { get; }

        public int Snapshots => _made.Count;

        public void Play()
        {
            var hot = _random.Next(2) == 0 ? _random.Next(_levels.Count) : -1;
            for (var step = 0; step < 1500 && _made.Count < 6; step++)
            {
                Write();
                Snapshot(isMore: true);
                if (hot >= 0 && _noise?.Reply is null == (_noise is null))
                    _noise = SendWrite(_levels[hot], 0, (uint)step, Family.NextRequest());
                if (!Family.RunOne() || _random.Next(20) == 0)
                    Family.Advance(_random.Next(1, 60));
                if (_crashes > 0 && _random.Next(_crashes) == 0)
                    Family.Crash();
            }

            for (var step = 0; _cloning is not null || _writing is { Reply: null }; step++)
            {
                Assert.True(step < 20_000, "a call is never answered");
                Snapshot(isMore: false);
                if (!Family.RunOne())
                    Family.Advance(100);
            }

            Family.Settle();
            foreach (var snapshot in _made)
                Check(snapshot.Handle, snapshot.AtLeast, snapshot.AtMost);
            foreach (var handle in _levels.Append(_source).Distinct().Concat(_made.Select(one => one.Handle)))
                Assert.Equal(Outcome.Ok, Family.Close(handle));
            Family.Settle();
            Assert.True(!Family.Store.Koids.Any() && !Family.Store.Layers.Any(), Family.Describe());
            Assert.Equal(0, Family.RecallsWaiting);
        }

        private void Write()
        {
            if (_writing is { Reply: { } reply })
            {
                if (reply is not WriteReplies { Outcomes: null })
                {
                    _writing = _write!();
                    return;
                }

                var level = _order[_at];
                _acked[level] = _number;
                _seen.Add((((VmoReply)Family.Send(_source.Koid, ticket => new CallInput(ticket, new InfoCall(SimFamily.Head(_source.Secret), InfoTopic.Vmo))).Reply!).Info!.ChildCount, level, _number));
                (_writing, _at) = (null, (_at + 1) % _order.Length);
                _number += _at == 0 ? 1u : 0;
            }

            if (_writing is not null)
                return;
            var (next, number, request) = (_order[_at], _number, Family.NextRequest());
            _begun[next] = number;
            _write = () => SendWrite(_levels[next], PageOf(next, next), number, request);
            _writing = _write();
        }

        private void Snapshot(bool isMore)
        {
            if (_cloning is { Reply: VmoReply reply })
            {
                if (reply.Outcome.Status is VmoStatus.Io or VmoStatus.ShouldWait or VmoStatus.TimedOut)
                {
                    _cloning = _clone!();
                    return;
                }

                Assert.Equal(Outcome.Ok, reply.Outcome);
                for (var i = 0; i < _call!.Count; i++)
                    _made.Add((new(new(reply.Koid.Value + (ulong)i), _call.Seed.Child(i)), _atLeast, [.. _begun]));
                _cloning = null;
            }

            if (!isMore || _cloning is not null || _random.Next(10) > 0)
                return;
            _atLeast = [.. _acked];
            _call = new(SimFamily.Head(_source.Secret, Family.NextRequest()), [new CloneSpec { Kind = VmoKind.Snapshot, Size = 32 * Page }], _random.Next(1, 3), Family.NextSecret(), Confirmed: true);
            var call = _call;
            _clone = () => Family.Send(_source.Koid, ticket => new CallInput(ticket, call with { First = Family.TakeKoids(call.Count) }));
            _cloning = _clone();
        }

        private void Check(VmoHandle snapshot, uint[] atLeast, uint[] atMost)
        {
            var index = _made.FindIndex(one => one.Handle == snapshot);
            var shown = new uint[_levels.Count];
            for (var level = 0; level < shown.Length; level++)
            {
                var (outcome, data) = Family.Read(snapshot, PageOf(level, _levels.Count - 1) * Page, 4);
                Assert.Equal(Outcome.Ok, outcome);
                shown[level] = BinaryPrimitives.ReadUInt32LittleEndian(data);
            }

            var text = $"snapshot {index} shows {string.Join(' ', shown)}, written in the order {string.Join(' ', _order)}";
            for (var i = 0; i < _order.Length; i++)
            {
                var level = _order[i];
                Assert.True(shown[level] >= atLeast[level] && shown[level] <= atMost[level], $"{text}; level {level} had {atLeast[level]} before the call, and {atMost[level]} at its answer");
                Assert.True(i == 0 || shown[level] <= shown[_order[i - 1]], text);
                Assert.True(shown[level] + 1 >= shown[_order[0]], text);
            }

            foreach (var (children, level, number) in _seen)
                Assert.True(index < children || shown[level] >= number, $"{text}; {number} stood in level {level} when there were {children} children");
        }

        // The page of a level, counted from some level at or below it: all of them see it at the same place of the last level.
        private ulong PageOf(int level, int seenFrom)
        {
            var page = 8ul + (ulong)level;
            for (var i = seenFrom; i < _levels.Count - 1; i++)
                page += _offsets[i];
            return page;
        }

        private SimTicket SendWrite(VmoHandle to, ulong page, uint number, RequestId request)
        {
            var data = new byte[number % 2 == 0 ? 4 : (int)Page];
            BinaryPrimitives.WriteUInt32LittleEndian(data, number);
            return Family.Send(to.Koid, ticket => new WriteInput(ticket, new() { Head = SimFamily.Head(to.Secret), Items = [new(request, page * Page, data.Length)], Data = data }));
        }

        private VmoHandle Clone(VmoHandle of, CloneSpec spec)
        {
            var (outcome, _, handles) = Family.Clone(of, 1, spec);
            Assert.Equal(Outcome.Ok, outcome);
            return handles[0];
        }
    }
}
