package cql

import "strings"

// roleName reads the name of a role; user tells the old USER form, whose bare names keep their case.
func (p *parser) roleName(user bool) Ident {
	switch k := p.kind(); {
	case k == TokString:
		t := p.next()
		return Ident{Name: stringValue(t.Text(p.src)), Quoted: true, Pos: t.Pos()}
	case k == TokMarker:
		p.reject(p.i, "Bind variables cannot be used for role names")
	case user && k == TokQuotedName:
		p.reject(p.i, "Quoted strings are are not supported for user names and USER is deprecated, please use ROLE")
	case user && isName(k):
		t := p.next()
		return Ident{Name: t.Text(p.src), Quoted: true, Pos: t.Pos()}
	}
	return p.ident()
}

// identity reads a certificate identity or the role in ADD IDENTITY: a bare word or a string.
func (p *parser) identity() string {
	if p.kind() == TokIdent {
		return p.next().Text(p.src)
	}
	if p.kind() == TokQuotedName {
		p.reject(p.i, "Quoted strings are are not supported for identity")
	}
	return p.str()
}

func (p *parser) addIdentity() Statement {
	s := &AddIdentity{node: p.node()}
	p.next()
	p.expect(kwIdentity)
	s.IfNotExists = p.ifNotExists()
	s.Identity = p.identity()
	p.expect(kwTo)
	p.expect(kwRole)
	s.Role = p.identity()
	return s
}

func (p *parser) createRole(n node) Statement {
	s := &CreateRole{node: n, User: p.next().Kind == kwUser, IfNotExists: p.ifNotExists()}
	s.Name = p.roleName(s.User)
	p.roleTail(s.User, &s.Options)
	return s
}

func (p *parser) alterRole(n node) Statement {
	s := &AlterRole{node: n, User: p.next().Kind == kwUser, IfExists: p.ifExists()}
	s.Name = p.roleName(s.User)
	p.roleTail(s.User, &s.Options)
	return s
}

// roleTail reads what follows the name of a role or user.
func (p *parser) roleTail(user bool, o *RoleOptions) {
	at := p.i
	switch {
	case user:
		p.userOptions(o)
	case p.accept(kwWith):
		p.roleOption(o)
		for p.accept(kwAnd) {
			p.roleOption(o)
		}
	}
	const exclusive = "Options '%s' and '%s' are mutually exclusive"
	switch {
	case o.Password != nil && o.HashedPassword != nil:
		p.reject(at, exclusive, "password", "hashed password")
	case o.Password != nil && o.GeneratedPassword:
		p.reject(at, exclusive, "password", "generated password")
	case o.HashedPassword != nil && o.GeneratedPassword:
		p.reject(at, exclusive, "hashed password", "generated password")
	}
}

func (p *parser) userOptions(o *RoleOptions) {
	if p.accept(kwWith) {
		switch {
		case p.accept(kwPassword):
			o.Password = ptr(p.str())
		case p.accept2(kwHashed, kwPassword):
			o.HashedPassword = ptr(p.str())
		case p.accept2(kwGenerated, kwPassword):
			o.GeneratedPassword = true
		default:
			p.noViable()
		}
	}
	switch {
	case p.accept(kwSuperuser):
		o.Superuser = ptr(true)
	case p.accept(kwNosuperuser):
		o.Superuser = ptr(false)
	}
}

func ptr[T any](v T) *T { return &v }

func (p *parser) roleOption(o *RoleOptions) {
	at := p.i
	once := func(name string, set bool) {
		if set {
			p.reject(at, "Multiple definition for property '%s'", name)
		}
	}
	switch {
	case p.accept(kwPassword):
		once("password", o.Password != nil)
		p.expect(TokEq)
		o.Password = ptr(p.str())
	case p.accept2(kwHashed, kwPassword):
		once("hashed password", o.HashedPassword != nil)
		p.expect(TokEq)
		o.HashedPassword = ptr(p.str())
	case p.accept2(kwGenerated, kwPassword):
		o.GeneratedPassword = true
	case p.kind() == kwOptions:
		once("options", o.Options != nil)
		o.Options = p.property(nil)
	case p.accept(kwSuperuser):
		once("superuser", o.Superuser != nil)
		o.Superuser = p.boolOption()
	case p.accept(kwLogin):
		once("login", o.Login != nil)
		o.Login = p.boolOption()
	case p.accept(kwAccess):
		p.accessOption(o)
	default:
		p.noViable()
	}
}

func (p *parser) boolOption() *bool {
	p.expect(TokEq)
	return ptr(strings.EqualFold(p.expect(TokBool).Text(p.src), "true"))
}

func (p *parser) accessOption(o *RoleOptions) {
	switch {
	case p.accept(kwTo):
		if o.AllDatacenters = p.accept(kwAll); o.AllDatacenters {
			p.expect(kwDatacenters)
			return
		}
		p.expect(kwDatacenters)
		o.Datacenters = p.stringSet()
	case p.accept(kwFrom):
		if o.AllCIDRs = p.accept(kwAll); o.AllCIDRs {
			p.expect(kwCidrs)
			return
		}
		p.expect(kwCidrs)
		o.CIDRGroups = p.stringSet()
	default:
		p.noViable()
	}
}

func (p *parser) stringSet() []string {
	p.expect(TokLBrace)
	list := []string{p.str()}
	for p.accept(TokComma) {
		list = append(list, p.str())
	}
	p.expect(TokRBrace)
	return list
}

// isPermission reports whether k names a permission.
func isPermission(k TokenKind) bool {
	switch k {
	case kwCreate, kwAlter, kwDrop, kwSelect, kwModify, kwAuthorize, kwDescribe, kwExecute, kwUnmask, kwSelectMasked:
		return true
	}
	return false
}

// grant reads GRANT and REVOKE, of permissions and of roles.
func (p *parser) grant() Statement {
	n := p.node()
	revoke := p.next().Kind == kwRevoke
	to := kwTo
	if revoke {
		to = kwFrom
	}
	all := p.kind() == kwAll && (p.ahead(1) == kwOn || p.ahead(1) == kwPermissions)
	if !all && (!isPermission(p.kind()) || isName(p.kind()) && p.ahead(1) == to) {
		s := &GrantRole{node: n, Revoke: revoke, Role: p.roleName(false)}
		p.expect(to)
		s.To = p.roleName(false)
		return s
	}
	s := &GrantPermission{node: n, Revoke: revoke}
	s.All, s.Permissions = p.permissions()
	p.expect(kwOn)
	s.On = p.resource()
	p.expect(to)
	s.To = p.roleName(false)
	return s
}

func (p *parser) permissions() (all bool, list []string) {
	if p.accept(kwAll) {
		p.accept(kwPermissions)
		return true, nil
	}
	for {
		if !isPermission(p.kind()) {
			p.noViable()
			return false, nil
		}
		list = append(list, strings.ToUpper(p.next().Text(p.src)))
		p.accept(kwPermission)
		if !p.accept(TokComma) {
			return false, list
		}
	}
}

func (p *parser) resource() Resource {
	k, after := p.kind(), p.ahead(1)
	switch {
	case k == kwAll && isName(after):
		p.next()
		return p.allResource()
	case k == kwKeyspace || k == kwSchema:
		p.next()
		return Resource{Kind: ResKeyspace, Name: Name{Keyspace: p.keyspace().Name}}
	case k == kwRole && (isName(after) || after == TokString):
		p.next()
		id := p.roleName(false)
		return Resource{Kind: ResRole, Name: Name{Name: id.Name, Pos: id.Pos}}
	case k == kwFunction && isName(after):
		p.next()
		r := Resource{Kind: ResFunction, Name: p.functionNamed()}
		p.expect(TokLParen)
		r.ArgTypes = p.types()
		return r
	case (k == kwMbean || k == kwMbeans) && after == TokString:
		p.next()
		return Resource{Kind: ResMBean, Name: Name{Name: p.str()}}
	case k == kwTable || k == kwColumnfamily:
		p.next()
	}
	return Resource{Kind: ResTable, Name: p.table()}
}

// allResource reads what follows ALL.
func (p *parser) allResource() Resource {
	switch {
	case p.accept(kwKeyspaces):
		return Resource{Kind: ResAllKeyspaces}
	case p.accept(kwRoles):
		return Resource{Kind: ResAllRoles}
	case p.accept(kwMbeans):
		return Resource{Kind: ResAllMBeans}
	case p.accept(kwTables), p.accept(kwColumnfamilies):
		p.expect(kwIn)
		p.expect(kwKeyspace)
		return Resource{Kind: ResAllTables, Name: Name{Keyspace: p.keyspace().Name}}
	case p.accept(kwFunctions):
		if !p.accept(kwIn) {
			return Resource{Kind: ResAllFunctions}
		}
		p.expect(kwKeyspace)
		return Resource{Kind: ResKeyspaceFunctions, Name: Name{Keyspace: p.keyspace().Name}}
	}
	p.noViable()
	return Resource{}
}

// list reads LIST ROLES, LIST USERS, LIST SUPERUSERS and LIST of permissions.
func (p *parser) list() Statement {
	n := p.node()
	p.next()
	switch k := p.kind(); {
	case k == kwRoles || k == kwUsers || k == kwSuperusers:
		p.next()
		s := &ListRoles{node: n, Users: k == kwUsers, Superusers: k == kwSuperusers}
		if k == kwRoles {
			s.Of, s.NoRecursive = p.ofRole()
		}
		return s
	case p.isWord(0, "service") || k == kwAll && p.isWord(1, "service"):
		return p.skipUnsupported("LIST SERVICE LEVEL")
	}
	s := &ListPermissions{node: n}
	s.All, s.Permissions = p.permissions()
	if p.accept(kwOn) {
		r := p.resource()
		s.On = &r
	}
	s.Of, s.NoRecursive = p.ofRole()
	return s
}

func (p *parser) ofRole() (of *Ident, noRecursive bool) {
	if p.accept(kwOf) {
		of = ptr(p.roleName(false))
	}
	return of, p.accept(kwNorecursive)
}

// describe reads DESCRIBE. A word such as CLUSTER or TABLES names the kind unless a dot follows.
func (p *parser) describe() Statement {
	s := &Describe{node: p.node()}
	p.next()
	k, after := p.kind(), p.ahead(1)
	named := isName(after)
	switch {
	case k == kwFull && after == kwSchema:
		p.next()
		p.next()
		s.Kind, s.Full = DescSchema, true
	case k == kwOnly && (after == kwKeyspace):
		p.next()
		s.Only = true
		p.describeKeyspace(s)
	case k == kwKeyspace:
		p.describeKeyspace(s)
	case k == kwMaterialized:
		p.next()
		p.expect(kwView)
		s.Kind, s.Name = DescView, p.table()
	case k == kwTable || k == kwColumnfamily:
		p.next()
		s.Kind, s.Name = DescTable, p.table()
	case k == kwIndex:
		p.next()
		s.Kind, s.Name = DescIndex, p.qualified("index")
	case k == kwType && named:
		p.next()
		s.Kind, s.Name = DescType, p.typeName()
	case k == kwFunction && named:
		p.next()
		s.Kind, s.Name = DescFunction, p.functionNamed()
	case k == kwAggregate && named:
		p.next()
		s.Kind, s.Name = DescAggregate, p.functionNamed()
	case after != TokDot && p.describeList(s):
	default:
		s.Kind, s.Name = DescGeneric, p.qualified("table")
	}
	if p.accept(kwWith) {
		p.expect(kwInternals)
		s.WithInternals = true
	}
	return s
}

func (p *parser) describeKeyspace(s *Describe) {
	p.next()
	s.Kind = DescKeyspace
	if isName(p.kind()) {
		id := p.ident()
		s.Name = Name{Keyspace: id.Name, Pos: id.Pos}
	}
}

func (p *parser) describeList(s *Describe) bool {
	kinds := map[TokenKind]DescribeKind{
		kwCluster: DescCluster, kwSchema: DescSchema, kwKeyspaces: DescKeyspaces, kwTables: DescTables,
		kwColumnfamilies: DescTables, kwTypes: DescTypes, kwFunctions: DescFunctions, kwAggregates: DescAggregates,
	}
	kind, ok := kinds[p.kind()]
	if ok {
		p.next()
		s.Kind = kind
	}
	return ok
}
