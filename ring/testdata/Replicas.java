// Writes replicas.txt: rings of random tokens and the replicas that Apache
// Cassandra 5.0.8 names in them, by its own classes. For each ring stand
//
//     ring   TAB what it is
//     node   TAB data centre TAB rack TAB tokens, for each node; the first is 0
//     points TAB tokens: every node's, the least and greatest, and others
//     class  TAB option=value, for each strategy, and after a TAB for each
//                point the replicas in their order: numbers of nodes with commas,
//                a dash for none
//
// with lists separated by spaces. Run it with the jars of
// org.apache.cassandra:cassandra-all:5.0.8 and gzip what it wrote:
//
//     java -cp JARS Replicas.java && gzip -9n replicas.txt

import java.io.PrintStream;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.dht.Murmur3Partitioner.LongToken;
import org.apache.cassandra.dht.Token;
import org.apache.cassandra.locator.AbstractNetworkTopologySnitch;
import org.apache.cassandra.locator.AbstractReplicationStrategy;
import org.apache.cassandra.locator.InetAddressAndPort;
import org.apache.cassandra.locator.NetworkTopologyStrategy;
import org.apache.cassandra.locator.SimpleStrategy;
import org.apache.cassandra.locator.TokenMetadata;

public class Replicas {
    static final Random r = new Random(20261122);

    record Node(InetAddressAndPort address, String dc, String rack, List<Long> tokens) {}

    static final Map<InetAddressAndPort, Node> places = new HashMap<>();

    // Data centres by name, with the number of nodes on each of their racks.
    static final String[] SHAPES = {
        "a:1", "a:2", "a:5", "a:1,1", "a:3,3", "a:5,1", "a:1,1,1", "a:2,2,2", "a:6,1,1", "a:1,1,1,5", "a:2,1,3,2,1", "a:1,1,1,1,1,1,1",
        "a:1 b:1", "a:1,1 b:1", "a:4 b:1,1,1", "a:3,3,3 b:2,2", "a:2,2,2 b:2,2,2", "a:2,2,2 b:5,1 c:1,1,1,1,1", "a:8,8,8 b:6,6,6,6 c:1",
        "a:1,9 b:7 c:1,2,3",
    };

    static final String[] FACTORS = {
        "a=1", "a=2", "a=3", "a=5", "a=3 b=2", "a=3 b=3", "a=2 b=0", "a=1 b=1 c=1", "a=3 b=2 c=1", "a=3 b=3 c=3", "a=5 b=4 c=7", "b=2", "a=2 x=3",
    };

    static long token() {
        long t = r.nextLong();
        return t == Long.MIN_VALUE ? 0 : t;
    }

    // How many tokens a node has: those of the name, or for "mixed" from 1 to 16.
    static int tokens(String name) {
        return name.equals("mixed") ? 1 + r.nextInt(16) : Integer.parseInt(name);
    }

    // Nodes of a shape. If dealt, neighbours on the ring are of one node, rack and
    // data centre as far as can be, else they are random.
    static List<Node> nodes(String shape, String each, boolean dealt) throws Exception {
        List<String[]> at = new ArrayList<>();
        for (String dc : shape.split(" ")) {
            String[] sizes = dc.substring(2).split(",");
            for (int rack = 0; rack < sizes.length; rack++) {
                for (int n = Integer.parseInt(sizes[rack]); n > 0; n--) at.add(new String[] {dc.substring(0, 1), "r" + (rack + 1)});
            }
        }
        if (!dealt) Collections.shuffle(at, r);
        List<Integer> counts = new ArrayList<>();
        for (int i = 0; i < at.size(); i++) counts.add(tokens(each));
        TreeSet<Long> ring = new TreeSet<>();
        if (dealt) Collections.addAll(ring, Long.MIN_VALUE + 1, Long.MAX_VALUE);
        for (int sum = counts.stream().mapToInt(Integer::intValue).sum(); ring.size() < sum; ) ring.add(token());
        List<Long> left = new ArrayList<>(ring);
        if (!dealt) Collections.shuffle(left, r);
        List<Node> nodes = new ArrayList<>();
        for (int i = 0, next = 0; i < at.size(); next += counts.get(i++)) {
            InetAddressAndPort address = InetAddressAndPort.getByAddress(InetAddress.getByAddress(new byte[] {10, 0, 0, (byte) (i + 1)}));
            nodes.add(new Node(address, at.get(i)[0], at.get(i)[1], left.subList(next, next + counts.get(i))));
        }
        return nodes;
    }

    static String join(Iterable<?> items, String by) {
        List<String> s = new ArrayList<>();
        for (Object item : items) s.add(item.toString());
        return String.join(by, s);
    }

    static void record(PrintStream out, String name, List<Node> nodes) {
        places.clear();
        Map<InetAddressAndPort, Integer> number = new HashMap<>();
        out.print("ring\t" + name + "\n");
        for (Node n : nodes) {
            number.put(n.address, number.size());
            places.put(n.address, n);
            out.print("node\t" + n.dc + "\t" + n.rack + "\t" + join(n.tokens, " ") + "\n");
        }
        TokenMetadata metadata = new TokenMetadata();
        TreeSet<Long> points = new TreeSet<>(List.of(Long.MIN_VALUE, Long.MIN_VALUE + 1, -1L, 0L, Long.MAX_VALUE));
        for (Node n : nodes) {
            List<Token> tokens = n.tokens.stream().map(LongToken::new).collect(Collectors.toList());
            metadata.updateNormalTokens(tokens, n.address);
            points.addAll(n.tokens);
        }
        for (int i = 0; i < 5; i++) points.add(token());
        for (long t : nodes.get(0).tokens) points.add(Math.max(t, Long.MIN_VALUE + 1) - 1);
        out.print("points\t" + join(points, " ") + "\n");
        List<String> strategies = new ArrayList<>();
        for (int rf : new int[] {1, 2, 3, 5, 8}) strategies.add("SimpleStrategy\treplication_factor=" + rf);
        for (String factors : FACTORS) strategies.add("NetworkTopologyStrategy\t" + factors);
        for (String named : strategies) {
            String[] fields = named.split("\t");
            Map<String, String> options = new LinkedHashMap<>();
            for (String o : fields[1].split(" ")) options.put(o.split("=")[0], o.split("=")[1]);
            AbstractReplicationStrategy s = fields[0].equals("SimpleStrategy")
                ? new SimpleStrategy("k", metadata, DatabaseDescriptor.getEndpointSnitch(), options)
                : new NetworkTopologyStrategy("k", metadata, DatabaseDescriptor.getEndpointSnitch(), options);
            List<String> sets = new ArrayList<>();
            for (long t : points) {
                List<Integer> replicas = new ArrayList<>();
                s.calculateNaturalReplicas(new LongToken(t), metadata).endpoints().forEach(e -> replicas.add(number.get(e)));
                sets.add(replicas.isEmpty() ? "-" : join(replicas, ","));
            }
            out.print(named + "\t" + join(sets, " ") + "\n");
        }
    }

    public static void main(String[] args) throws Exception {
        DatabaseDescriptor.clientInitialization();
        DatabaseDescriptor.setPartitionerUnsafe(Murmur3Partitioner.instance);
        DatabaseDescriptor.setEndpointSnitch(new AbstractNetworkTopologySnitch() {
            public String getRack(InetAddressAndPort e) {
                return places.get(e).rack;
            }

            public String getDatacenter(InetAddressAndPort e) {
                return places.get(e).dc;
            }
        });
        try (PrintStream out = new PrintStream("replicas.txt", "UTF-8")) {
            for (String shape : SHAPES) {
                for (String each : new String[] {"1", "4", "16", "mixed"}) record(out, shape + ", tokens: " + each, nodes(shape, each, false));
                record(out, shape + ", tokens: 4, dealt", nodes(shape, "4", true));
            }
        }
        System.exit(0); // threads that the classes started are there
    }
}
