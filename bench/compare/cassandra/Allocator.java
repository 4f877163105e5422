// How evenly Apache Cassandra's own token allocator spreads data: nodes join one by one, on racks in turn, 16 tokens each, three
// replicas under NetworkTopologyStrategy. For rings of 6 to 96 nodes it prints what the node that holds most holds, divided by what the
// one with least does: as a replica, and as first replica. The allocator draws nothing at random: every run prints the same.
//   java -cp "$(cat .classpath)" Allocator.java RACKS
// `start` beside this file makes .classpath. Needs JDK 17.

import java.net.InetAddress;
import java.util.DoubleSummaryStatistics;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.dht.Token;
import org.apache.cassandra.dht.tokenallocator.TokenAllocation;
import org.apache.cassandra.locator.AbstractNetworkTopologySnitch;
import org.apache.cassandra.locator.InetAddressAndPort;
import org.apache.cassandra.locator.NetworkTopologyStrategy;
import org.apache.cassandra.locator.TokenMetadata;

public class Allocator {
    static final int REPLICAS = 3, TOKENS = 16;
    static final List<Integer> CHECKED = List.of(6, 12, 24, 48, 96);

    // Most over least held as a replica, and as first replica.
    static double[] evenness(TokenMetadata ring, NetworkTopologyStrategy s) {
        Map<InetAddressAndPort, double[]> held = new HashMap<>();
        List<Token> tokens = ring.sortedTokens();
        Token before = tokens.get(tokens.size() - 1);
        for (Token t : tokens) {
            double length = before.size(t);
            List<InetAddressAndPort> replicas = s.calculateNaturalReplicas(t, ring).endpointList();
            for (InetAddressAndPort e : replicas) held.computeIfAbsent(e, x -> new double[2])[0] += length;
            held.get(replicas.get(0))[1] += length;
            before = t;
        }
        double[] most = new double[2];
        for (int i = 0; i < 2; i++) {
            int which = i;
            DoubleSummaryStatistics h = held.values().stream().mapToDouble(x -> x[which]).summaryStatistics();
            most[i] = h.getMax() / h.getMin();
        }
        return most;
    }

    public static void main(String[] args) throws Exception {
        int racks = Integer.parseInt(args[0]);
        DatabaseDescriptor.clientInitialization();
        DatabaseDescriptor.setPartitionerUnsafe(Murmur3Partitioner.instance);
        DatabaseDescriptor.setEndpointSnitch(new AbstractNetworkTopologySnitch() {
            public String getRack(InetAddressAndPort e) {
                return "r" + e.getAddress().getAddress()[3] % racks;
            }

            public String getDatacenter(InetAddressAndPort e) {
                return "a";
            }
        });
        ((ch.qos.logback.classic.Logger) org.slf4j.LoggerFactory.getLogger("ROOT")).setLevel(ch.qos.logback.classic.Level.ERROR);
        TokenMetadata ring = new TokenMetadata();
        NetworkTopologyStrategy s = new NetworkTopologyStrategy(
            "k", ring, DatabaseDescriptor.getEndpointSnitch(), Map.of("a", Integer.toString(REPLICAS)));
        for (int i = 0; i < CHECKED.get(CHECKED.size() - 1); i++) {
            InetAddressAndPort e = InetAddressAndPort.getByAddress(InetAddress.getByAddress(new byte[] {10, 0, 0, (byte) i}));
            ring.updateNormalTokens(TokenAllocation.allocateTokens(ring, s, e, TOKENS), e);
            if (!CHECKED.contains(i + 1)) continue;
            double[] most = evenness(ring, s);
            System.out.printf("%d racks, %2d nodes: replicas %.3f; first replicas %.3f%n", racks, i + 1, most[0], most[1]);
        }
        System.exit(0); // threads that the classes started are there
    }
}
