package cql

// ResourceKind is the kind of a Resource.
type ResourceKind uint8

// Kinds of resources.
const (
	ResAllKeyspaces ResourceKind = iota
	ResKeyspace
	ResAllTables // ALL TABLES IN KEYSPACE k
	ResTable
	ResAllRoles
	ResRole
	ResAllFunctions // ALL FUNCTIONS
	ResKeyspaceFunctions
	ResFunction
	ResAllMBeans
	ResMBean // also a pattern, MBEANS 'x*'
)

// Resource is what a permission is granted on. Name holds keyspace and table, role or function as the kind needs.
type Resource struct {
	Kind     ResourceKind
	Name     Name
	ArgTypes []*TypeExpr // ResFunction
}

// RoleOptions is the WITH clause of CREATE/ALTER ROLE and the tail of CREATE/ALTER USER; absent parts are nil.
type RoleOptions struct {
	Password          *string
	HashedPassword    *string
	GeneratedPassword bool
	Superuser         *bool
	Login             *bool
	Options           []Property // OPTIONS = {...} as one map property
	Datacenters       []string   // ACCESS TO DATACENTERS {...}
	AllDatacenters    bool       // ACCESS TO ALL DATACENTERS
	CIDRGroups        []string   // ACCESS FROM CIDRS {...}
	AllCIDRs          bool       // ACCESS FROM ALL CIDRS
}

// DescribeKind is what a Describe shows.
type DescribeKind uint8

// Kinds of Describe. The plural kinds list names; the singular ones show one element.
const (
	DescCluster DescribeKind = iota
	DescSchema               // Full set for FULL SCHEMA
	DescKeyspaces
	DescKeyspace // Name.Keyspace empty means the keyspace in use; Only for ONLY KEYSPACE
	DescTables
	DescTable
	DescIndex
	DescView
	DescTypes
	DescType
	DescFunctions
	DescFunction
	DescAggregates
	DescAggregate
	DescGeneric // DESCRIBE name or ks.name
)

type (
	// CreateRole is CREATE ROLE, or CREATE USER when User is set.
	CreateRole struct {
		node
		User        bool
		Name        Ident
		IfNotExists bool
		Options     RoleOptions
	}

	// AlterRole is ALTER ROLE or ALTER USER.
	AlterRole struct {
		node
		User     bool
		Name     Ident
		IfExists bool
		Options  RoleOptions
	}

	// DropRole is DROP ROLE or DROP USER.
	DropRole struct {
		node
		User     bool
		Name     Ident
		IfExists bool
	}

	// GrantRole is GRANT role TO role, with Revoke REVOKE role FROM role.
	GrantRole struct {
		node
		Revoke bool
		Role   Ident
		To     Ident
	}

	// GrantPermission is GRANT ... ON ... TO, or REVOKE ... ON ... FROM. Permissions are upper case; All for ALL [PERMISSIONS].
	GrantPermission struct {
		node
		Revoke      bool
		All         bool
		Permissions []string
		On          Resource
		To          Ident
	}

	// ListRoles is LIST ROLES or LIST USERS [OF role] [NORECURSIVE].
	ListRoles struct {
		node
		Users       bool
		Superusers  bool
		Of          *Ident
		NoRecursive bool
	}

	// ListPermissions is LIST ALL PERMISSIONS / LIST perm [ON ...] [OF role] [NORECURSIVE].
	ListPermissions struct {
		node
		All         bool
		Permissions []string
		On          *Resource
		Of          *Ident
		NoRecursive bool
	}

	// AddIdentity is ADD IDENTITY 'x' TO ROLE 'r'.
	AddIdentity struct {
		node
		IfNotExists bool
		Identity    string
		Role        string
	}

	// DropIdentity is DROP IDENTITY 'x'.
	DropIdentity struct {
		node
		IfExists bool
		Identity string
	}

	// Describe is DESCRIBE or DESC.
	Describe struct {
		node
		Kind          DescribeKind
		Full          bool // FULL SCHEMA
		Only          bool // ONLY KEYSPACE
		WithInternals bool
		Name          Name
	}
)
