// Writes tokens.txt: 10,000 partition keys of random values and the tokens that
// Apache Cassandra 5.0.8 gives them, by its own classes. A line is
//
//     TYPE[; TYPE]... TAB key in hex TAB token
//
// with a type for each column of the key. Run it with the jars of
// org.apache.cassandra:cassandra-all:5.0.8 and gzip what it wrote:
//
//     java -cp JARS Tokens.java && gzip -9n tokens.txt

import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.UUID;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.db.marshal.*;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.utils.ByteBufferUtil;

public class Tokens {
    static final Random r = new Random(20261122);

    interface Value {
        ByteBuffer next() throws Exception;
    }

    record Kind(String name, AbstractType<?> type, Value value) {}

    static byte[] bytes(int n) {
        byte[] p = new byte[n];
        r.nextBytes(p);
        return p;
    }

    static ByteBuffer ascii() {
        byte[] p = bytes(1 + r.nextInt(50));
        for (int i = 0; i < p.length; i++) p[i] &= 0x7f;
        return ByteBuffer.wrap(p);
    }

    static ByteBuffer blob() {
        return ByteBuffer.wrap(bytes(1 + r.nextInt(r.nextInt(100) == 0 ? 800 : 40)));
    }

    static String text() {
        StringBuilder b = new StringBuilder();
        for (int n = 1 + r.nextInt(r.nextInt(50) == 0 ? 150 : 16); n > 0; n--) {
            switch (r.nextInt(4)) {
                case 0 -> b.append((char) (0xa0 + r.nextInt(0x100)));
                case 1 -> b.appendCodePoint(0x4e00 + r.nextInt(0x1000));
                case 2 -> b.appendCodePoint(0x1f600 + r.nextInt(50));
                default -> b.append((char) (' ' + r.nextInt(95)));
            }
        }
        return b.toString();
    }

    // Distinct texts in the order in which a set holds them.
    static SortedSet<String> texts() {
        SortedSet<String> s = new TreeSet<>((a, b) -> UTF8Type.instance.compare(UTF8Type.instance.decompose(a), UTF8Type.instance.decompose(b)));
        for (int n = r.nextInt(6); n > 0; n--) s.add(text());
        return s;
    }

    static ByteBuffer uuid(long version) {
        return ByteBufferUtil.bytes(new UUID(r.nextLong() & ~0xf000L | version << 12, r.nextLong() & ~(3L << 62) | 2L << 62));
    }

    static ByteBuffer floats(int n) {
        ByteBuffer b = ByteBuffer.allocate(4 * n);
        while (b.hasRemaining()) b.putFloat(r.nextFloat() * 200 - 100);
        return b.flip();
    }

    static BigInteger big(int bits) {
        BigInteger n = new BigInteger(1 + r.nextInt(bits), r);
        return r.nextBoolean() ? n.negate() : n;
    }

    static ByteBuffer integer() {
        return Int32Type.instance.decompose(r.nextInt() >> r.nextInt(28));
    }

    static ByteBuffer list(ListType<Integer> t) {
        List<Integer> l = new ArrayList<>();
        for (int n = r.nextInt(8); n > 0; n--) l.add(r.nextInt());
        return t.decompose(l);
    }

    static ByteBuffer map(MapType<String, Integer> t) {
        Map<String, Integer> m = new LinkedHashMap<>();
        for (String s : texts()) m.put(s, r.nextInt());
        return t.decompose(m);
    }

    static List<Kind> kinds() {
        ListType<Integer> list = ListType.getInstance(Int32Type.instance, false);
        SetType<String> set = SetType.getInstance(UTF8Type.instance, false);
        MapType<String, Integer> map = MapType.getInstance(UTF8Type.instance, Int32Type.instance, false);
        TupleType tuple = new TupleType(Arrays.asList(Int32Type.instance, UTF8Type.instance));
        return List.of(
            new Kind("ascii", AsciiType.instance, Tokens::ascii),
            new Kind("bigint", LongType.instance, () -> LongType.instance.decompose(r.nextLong() >> r.nextInt(60))),
            new Kind("blob", BytesType.instance, Tokens::blob),
            new Kind("boolean", BooleanType.instance, () -> BooleanType.instance.decompose(r.nextBoolean())),
            new Kind("date", SimpleDateType.instance, () -> SimpleDateType.instance.decompose(r.nextInt())),
            new Kind("decimal", DecimalType.instance, () -> DecimalType.instance.decompose(new BigDecimal(big(150), r.nextInt(40) - 20))),
            new Kind("double", DoubleType.instance, () -> DoubleType.instance.decompose(Double.longBitsToDouble(r.nextLong()))),
            new Kind("float", FloatType.instance, () -> FloatType.instance.decompose(Float.intBitsToFloat(r.nextInt()))),
            new Kind("inet", InetAddressType.instance, () -> InetAddressType.instance.decompose(InetAddress.getByAddress(bytes(r.nextBoolean() ? 4 : 16)))),
            new Kind("int", Int32Type.instance, Tokens::integer),
            new Kind("smallint", ShortType.instance, () -> ShortType.instance.decompose((short) r.nextInt())),
            new Kind("text", UTF8Type.instance, () -> UTF8Type.instance.decompose(text())),
            new Kind("time", TimeType.instance, () -> TimeType.instance.decompose(r.nextLong(86_400_000_000_000L))),
            new Kind("timestamp", TimestampType.instance, () -> TimestampType.instance.decompose(new Date(r.nextLong() >> r.nextInt(30)))),
            new Kind("timeuuid", TimeUUIDType.instance, () -> uuid(1)),
            new Kind("tinyint", ByteType.instance, () -> ByteType.instance.decompose((byte) r.nextInt())),
            new Kind("uuid", UUIDType.instance, () -> uuid(4)),
            new Kind("varint", IntegerType.instance, () -> IntegerType.instance.decompose(big(250))),
            new Kind("frozen<list<int>>", list, () -> list(list)),
            new Kind("frozen<set<text>>", set, () -> set.decompose(new LinkedHashSet<>(texts()))),
            new Kind("frozen<map<text, int>>", map, () -> map(map)),
            new Kind("frozen<tuple<int, text>>", tuple, () -> TupleType.buildValue(
                new ByteBuffer[] {integer(), r.nextInt(5) == 0 ? null : UTF8Type.instance.decompose(text())})),
            new Kind("vector<float, 3>", VectorType.getInstance(FloatType.instance, 3), () -> floats(3)));
    }

    public static void main(String[] args) throws Exception {
        DatabaseDescriptor.clientInitialization();
        List<Kind> kinds = kinds();
        Set<String> lines = new LinkedHashSet<>();
        for (int i = 0; lines.size() < 10_000; i++) {
            int columns = i % 3 == 2 ? 2 + r.nextInt(3) : 1;
            List<String> names = new ArrayList<>();
            List<AbstractType<?>> types = new ArrayList<>();
            ByteBuffer[] values = new ByteBuffer[columns];
            for (int c = 0; c < columns; c++) {
                Kind k = kinds.get(columns == 1 ? (i - i / 3) % kinds.size() : r.nextInt(kinds.size()));
                names.add(k.name);
                types.add(k.type);
                values[c] = k.value.next();
                if (columns > 1 && k.type == UTF8Type.instance && r.nextInt(10) == 0) values[c] = ByteBuffer.allocate(0);
                k.type.validate(values[c]);
            }
            ByteBuffer key = columns == 1 ? values[0] : CompositeType.build(ByteBufferAccessor.instance, values);
            if (columns > 1) CompositeType.getInstance(types).validate(key);
            lines.add(String.join("; ", names) + "\t" + ByteBufferUtil.bytesToHex(key) + "\t" + Murmur3Partitioner.instance.getToken(key).getTokenValue());
        }
        try (PrintStream out = new PrintStream("tokens.txt", "UTF-8")) {
            for (String l : lines) out.print(l + "\n");
        }
        System.exit(0); // threads that the classes started are there
    }
}
