package cql

import "strings"

// keywordClass tells where a keyword may stand for a name.
type keywordClass uint8

const (
	classReserved keywordClass = iota // never
	classBasic                        // anywhere
	classColumn                       // anywhere but as the name of a function or a type (KEY may name a type)
	classType                         // anywhere but as the name of a type
)

type keyword struct {
	name  string
	class keywordClass
}

// label gives the name that Cassandra's messages use: two spellings of one word share a label.
func (k keyword) label() string {
	switch k.name {
	case "TABLE":
		return "COLUMNFAMILY"
	case "COLUMNFAMILIES":
		return "TABLES"
	}
	return k.name
}

// Keywords, in the order of the alphabet and of the table below.
const (
	kwAccess = firstKeyword + TokenKind(iota)
	kwAdd
	kwAggregate
	kwAggregates
	kwAll
	kwAllow
	kwAlter
	kwAnd
	kwAnn
	kwApply
	kwAs
	kwAsc
	kwAscii
	kwAuthorize
	kwBatch
	kwBegin
	kwBetween
	kwBigint
	kwBlob
	kwBoolean
	kwBy
	kwCalled
	kwCast
	kwCheck
	kwCidrs
	kwCluster
	kwClustering
	kwColumnfamilies
	kwColumnfamily
	kwCompact
	kwContains
	kwCount
	kwCounter
	kwCreate
	kwCustom
	kwDatacenters
	kwDate
	kwDecimal
	kwDefault
	kwDelete
	kwDesc
	kwDescribe
	kwDistinct
	kwDouble
	kwDrop
	kwDuration
	kwEntries
	kwExecute
	kwExists
	kwFiltering
	kwFinalfunc
	kwFloat
	kwFrom
	kwFrozen
	kwFull
	kwFunction
	kwFunctions
	kwGenerated
	kwGrant
	kwGroup
	kwHashed
	kwIdentity
	kwIf
	kwIn
	kwIndex
	kwIndexes
	kwInet
	kwInfinity
	kwInitcond
	kwInput
	kwInsert
	kwInt
	kwInternals
	kwInto
	kwIs
	kwJson
	kwKey
	kwKeys
	kwKeyspace
	kwKeyspaces
	kwLanguage
	kwLike
	kwLimit
	kwList
	kwLogin
	kwMap
	kwMasked
	kwMaterialized
	kwMaxwritetime
	kwMbean
	kwMbeans
	kwModify
	kwNan
	kwNologin
	kwNorecursive
	kwNosuperuser
	kwNot
	kwNull
	kwOf
	kwOn
	kwOnly
	kwOptions
	kwOr
	kwOrder
	kwPartition
	kwPassword
	kwPer
	kwPermission
	kwPermissions
	kwPrimary
	kwRename
	kwReplace
	kwReturns
	kwRevoke
	kwRole
	kwRoles
	kwSchema
	kwSelect
	kwSelectMasked
	kwSet
	kwSfunc
	kwSmallint
	kwStatic
	kwStorage
	kwStype
	kwSuperuser
	kwSuperusers
	kwTable
	kwTables
	kwText
	kwTime
	kwTimestamp
	kwTimeuuid
	kwTinyint
	kwTo
	kwToken
	kwTrigger
	kwTruncate
	kwTtl
	kwTuple
	kwType
	kwTypes
	kwUnlogged
	kwUnmask
	kwUnset
	kwUpdate
	kwUse
	kwUser
	kwUsers
	kwUsing
	kwUuid
	kwValues
	kwVarchar
	kwVarint
	kwVector
	kwView
	kwWhere
	kwWith
	kwWritetime
)

var keywords = [...]keyword{
	{"ACCESS", classBasic},
	{"ADD", classReserved},
	{"AGGREGATE", classBasic},
	{"AGGREGATES", classBasic},
	{"ALL", classBasic},
	{"ALLOW", classReserved},
	{"ALTER", classReserved},
	{"AND", classReserved},
	{"ANN", classBasic},
	{"APPLY", classReserved},
	{"AS", classBasic},
	{"ASC", classReserved},
	{"ASCII", classType},
	{"AUTHORIZE", classReserved},
	{"BATCH", classReserved},
	{"BEGIN", classReserved},
	{"BETWEEN", classBasic},
	{"BIGINT", classType},
	{"BLOB", classType},
	{"BOOLEAN", classType},
	{"BY", classReserved},
	{"CALLED", classBasic},
	{"CAST", classColumn},
	{"CHECK", classBasic},
	{"CIDRS", classBasic},
	{"CLUSTER", classBasic},
	{"CLUSTERING", classBasic},
	{"COLUMNFAMILIES", classBasic},
	{"COLUMNFAMILY", classReserved},
	{"COMPACT", classBasic},
	{"CONTAINS", classBasic},
	{"COUNT", classColumn},
	{"COUNTER", classType},
	{"CREATE", classReserved},
	{"CUSTOM", classBasic},
	{"DATACENTERS", classBasic},
	{"DATE", classType},
	{"DECIMAL", classType},
	{"DEFAULT", classBasic},
	{"DELETE", classReserved},
	{"DESC", classReserved},
	{"DESCRIBE", classReserved},
	{"DISTINCT", classColumn},
	{"DOUBLE", classType},
	{"DROP", classReserved},
	{"DURATION", classType},
	{"ENTRIES", classReserved},
	{"EXECUTE", classReserved},
	{"EXISTS", classBasic},
	{"FILTERING", classBasic},
	{"FINALFUNC", classBasic},
	{"FLOAT", classType},
	{"FROM", classReserved},
	{"FROZEN", classBasic},
	{"FULL", classReserved},
	{"FUNCTION", classBasic},
	{"FUNCTIONS", classBasic},
	{"GENERATED", classBasic},
	{"GRANT", classReserved},
	{"GROUP", classBasic},
	{"HASHED", classBasic},
	{"IDENTITY", classBasic},
	{"IF", classReserved},
	{"IN", classReserved},
	{"INDEX", classReserved},
	{"INDEXES", classBasic},
	{"INET", classType},
	{"INFINITY", classReserved},
	{"INITCOND", classBasic},
	{"INPUT", classBasic},
	{"INSERT", classReserved},
	{"INT", classType},
	{"INTERNALS", classBasic},
	{"INTO", classReserved},
	{"IS", classReserved},
	{"JSON", classColumn},
	{"KEY", classColumn},
	{"KEYS", classBasic},
	{"KEYSPACE", classReserved},
	{"KEYSPACES", classBasic},
	{"LANGUAGE", classBasic},
	{"LIKE", classBasic},
	{"LIMIT", classReserved},
	{"LIST", classBasic},
	{"LOGIN", classBasic},
	{"MAP", classBasic},
	{"MASKED", classBasic},
	{"MATERIALIZED", classReserved},
	{"MAXWRITETIME", classColumn},
	{"MBEAN", classBasic},
	{"MBEANS", classBasic},
	{"MODIFY", classReserved},
	{"NAN", classReserved},
	{"NOLOGIN", classBasic},
	{"NORECURSIVE", classReserved},
	{"NOSUPERUSER", classBasic},
	{"NOT", classReserved},
	{"NULL", classReserved},
	{"OF", classReserved},
	{"ON", classReserved},
	{"ONLY", classBasic},
	{"OPTIONS", classBasic},
	{"OR", classReserved},
	{"ORDER", classReserved},
	{"PARTITION", classBasic},
	{"PASSWORD", classBasic},
	{"PER", classBasic},
	{"PERMISSION", classBasic},
	{"PERMISSIONS", classBasic},
	{"PRIMARY", classReserved},
	{"RENAME", classReserved},
	{"REPLACE", classBasic},
	{"RETURNS", classBasic},
	{"REVOKE", classReserved},
	{"ROLE", classBasic},
	{"ROLES", classBasic},
	{"SCHEMA", classReserved},
	{"SELECT", classReserved},
	{"SELECT_MASKED", classBasic},
	{"SET", classReserved},
	{"SFUNC", classBasic},
	{"SMALLINT", classType},
	{"STATIC", classBasic},
	{"STORAGE", classBasic},
	{"STYPE", classBasic},
	{"SUPERUSER", classBasic},
	{"SUPERUSERS", classBasic},
	{"TABLE", classReserved},
	{"TABLES", classBasic},
	{"TEXT", classType},
	{"TIME", classType},
	{"TIMESTAMP", classType},
	{"TIMEUUID", classType},
	{"TINYINT", classType},
	{"TO", classReserved},
	{"TOKEN", classReserved},
	{"TRIGGER", classBasic},
	{"TRUNCATE", classReserved},
	{"TTL", classColumn},
	{"TUPLE", classBasic},
	{"TYPE", classBasic},
	{"TYPES", classBasic},
	{"UNLOGGED", classReserved},
	{"UNMASK", classBasic},
	{"UNSET", classBasic},
	{"UPDATE", classReserved},
	{"USE", classReserved},
	{"USER", classBasic},
	{"USERS", classBasic},
	{"USING", classReserved},
	{"UUID", classType},
	{"VALUES", classBasic},
	{"VARCHAR", classType},
	{"VARINT", classType},
	{"VECTOR", classBasic},
	{"VIEW", classReserved},
	{"WHERE", classReserved},
	{"WITH", classReserved},
	{"WRITETIME", classColumn},
}

// keywordKinds finds the kind of a keyword by its lower-case name.
var keywordKinds = func() map[string]TokenKind {
	m := make(map[string]TokenKind, len(keywords))
	for i, k := range keywords {
		m[strings.ToLower(k.name)] = firstKeyword + TokenKind(i)
	}
	return m
}()

// maxKeywordBytes is the length of the longest keyword; longer names need no look-up.
const maxKeywordBytes = 16

func (k TokenKind) class() keywordClass { return keywords[k-firstKeyword].class }

// Keywords gives all keywords in upper case and in the order of the alphabet, for completion. The caller owns the slice.
func Keywords() []string {
	list := make([]string, len(keywords))
	for i, k := range keywords {
		list[i] = k.name
	}
	return list
}

// IsReserved reports whether name, in lower case, is a word that CQL does not accept as a bare name.
func IsReserved(name string) bool {
	k, ok := keywordKinds[name]
	return ok && k.class() == classReserved || name == "true" || name == "false"
}
